/** Every text of the desk, in English and French. {name} is filled in. @module */

/** @type {Record<string, [string, string]>} */
const TABLE = {
  add: ["Add files", "Ajouter"],
  scan: ["Scan", "Numériser"],
  camera: ["Camera", "Caméra"],
  page: ["Page", "Page"],
  order: ["Lines", "Lignes"],
  byPlace: ["by place", "dans l’ordre"],
  byErrors: ["most doubtful first", "les plus douteuses d’abord"],
  export: ["Save as", "Enregistrer en"],
  save: ["Save", "Enregistrer"],
  all: ["everything (zip)", "tout (zip)"],
  thisPage: ["this page", "cette page"],
  allPages: ["all pages", "toutes les pages"],
  language: ["Language", "Langue"],
  leave: ["Leave", "Quitter"],
  picture: ["The page", "La page"],
  smaller: ["Zoom out", "Réduire"],
  larger: ["Zoom in", "Agrandir"],
  whole: ["Whole page", "Page entière"],
  negative: ["Negative", "Négatif"],
  remove: ["Take off the desk", "Retirer du bureau"],
  removeSure: ["Press again to delete this page and its corrections", "Appuyez encore pour supprimer cette page et ses corrections"],
  printed: ["print", "imprimé"],
  handwritten: ["handwriting", "écriture"],
  unknown: ["unknown writing", "écriture inconnue"],
  doubtful: ["doubtful", "douteux"],
  done: ["done", "fait"],
  text: ["Text of the line", "Texte de la ligne"],
  words: ["Words", "Mots"],
  others: ["Also read as", "Autres lectures"],
  alsoWritten: ["also written", "aussi écrit"],
  settle: ["Only my text counts", "Seul mon texte compte"],
  right: ["Right as it is", "Juste ainsi"],
  next: ["Next line", "Ligne suivante"],
  previous: ["Previous line", "Ligne précédente"],
  undo: ["Undo", "Annuler"],
  keys: ["Keys", "Touches"],
  lineName: ["Line {number} of {count}, {kind}, confidence {confidence} %", "Ligne {number} sur {count}, {kind}, confiance {confidence} %"],
  notRead: ["not read", "non lue"],
  noLines: ["No line was found on this page.", "Aucune ligne trouvée sur cette page."],
  dropHere: ["Drop scans here: images or PDF", "Déposez ici des images ou des PDF"],
  reading: ["Reading {name}…", "Lecture de {name}…"],
  waitingPages: ["{count} pages wait to be read", "{count} pages attendent la lecture"],
  starting: ["The reader starts…", "Le lecteur démarre…"],
  refused: ["{name} was not read: {reason}", "{name} n’a pas été lu : {reason}"],
  sending: ["Taking in {name}…", "Réception de {name}…"],
  notTaken: ["{name} was not taken in: {reason}", "{name} n’a pas été reçu : {reason}"],
  keeping: ["Keeping…", "Conservation…"],
  kept: ["Kept", "Conservé"],
  keptDone: ["Kept, done", "Conservé, fait"],
  notKept: ["Not kept yet: {count} changes wait for the desk", "Pas encore conservé : {count} modifications attendent le bureau"],
  leftOver: ["{count} doubtful lines left, about {minutes} min", "Il reste {count} lignes douteuses, environ {minutes} min"],
  leftCount: ["{count} doubtful lines left", "Il reste {count} lignes douteuses"],
  nothingLeft: ["No doubtful line is left.", "Il ne reste aucune ligne douteuse."],
  saving: ["Writing {name}…", "Écriture de {name}…"],
  saved: ["Saved: {name}", "Enregistré : {name}"],
  failed: ["That failed: {reason}", "Échec : {reason}"],
  away: ["The desk does not answer; what you type is held in this window.", "Le bureau ne répond pas ; ce que vous tapez est gardé dans cette fenêtre."],
  idle: ["Nobody seems to be here. Everything is deleted in {seconds} s.", "Personne ne semble être là. Tout sera effacé dans {seconds} s."],
  stay: ["I am still here", "Je suis toujours là"],
  device: ["Scanner", "Scanner"],
  source: ["From", "Depuis"],
  mode: ["Color", "Couleur"],
  resolution: ["Dots per inch", "Points par pouce"],
  scanStart: ["Scan now", "Numériser"],
  close: ["Close", "Fermer"],
  looking: ["Looking for scanners…", "Recherche de scanners…"],
  noScanner: ["No scanner was found.", "Aucun scanner trouvé."],
  scanning: ["Scanning…", "Numérisation…"],
  scanned: ["Pages scanned: {count}", "Pages numérisées : {count}"],
  take: ["Take the picture", "Prendre la photo"],
  noCamera: ["The camera cannot be used: {reason}", "La caméra ne peut pas être utilisée : {reason}"],
  sharp: ["Sharp", "Net"],
  blurred: ["Blurred: hold still, or come closer", "Flou : ne bougez pas, ou approchez"],
  keyEnter: ["next line; the text stays as it stands", "ligne suivante ; le texte reste tel quel"],
  keyConfirm: ["right as it is, next line", "juste ainsi, ligne suivante"],
  keyDoubt: ["next doubtful letter or word", "lettre ou mot douteux suivant"],
  keyOther: ["next other reading", "autre lecture suivante"],
  keyBack: ["back to what was read", "revenir à la lecture"],
  keyMove: ["previous, next line", "ligne précédente, suivante"],
  keyUndo: ["undo, over lines too", "annuler, aussi entre lignes"],
  keyZoom: ["zoom in, out, whole page", "agrandir, réduire, page entière"],
};

let column = 0;

/** @param {string} language */
export function setLanguage(language) {
  column = language === "fr" ? 1 : 0;
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-say]")) element.textContent = say(/** @type {HTMLElement} */ (element).dataset.say ?? "");
  for (const element of document.querySelectorAll("[data-label]")) {
    const text = say(/** @type {HTMLElement} */ (element).dataset.label ?? "");
    element.setAttribute("aria-label", text);
    element.setAttribute("title", text);
  }
}

/** @param {string} name @param {Record<string, string | number>} [values] @returns {string} */
export function say(name, values = {}) {
  const text = (TABLE[name] ?? [name, name])[column] ?? name;
  return text.replace(/\{(\w+)\}/g, (_, key) => String(values[key] ?? ""));
}
