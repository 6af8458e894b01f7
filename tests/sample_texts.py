"""Prose written for the sample pages; first use here, under the project's licence."""

HEADING = "The Keeper of the Tide Tables"

COLUMNS = (
    "For thirty-one years the tide tables of the harbour at Saltmere were drawn up by hand in a narrow room above "
    "the chandler's shop. The keeper, a patient woman named Agnes Thorley, had no instrument but a brass gauge, a "
    "clock that lost four minutes a week, and a shelf of ledgers whose spines had faded to the colour of tea.",
    "Each morning at six she walked to the end of the mole, read the gauge twice, and wrote both figures down. If "
    "they differed by more than a finger's breadth she waited a quarter of an hour and read it again. Nobody had "
    "asked her to do so. She explained, to the few who wondered, that a number read once is only an opinion.",
    "The ledgers grew. By 1889 there were twenty-two of them, and the harbour master, who had to buy the paper, "
    "began to complain. He proposed that the readings be taken once a day, and only in the months when the herring "
    "fleet was out. Miss Thorley replied with a letter of nine pages. It contained a table, two charts, and no "
    "adjectives at all.",
    "What the letter showed was simple enough. The winter tides, which no one wished to pay for, were the ones that"
    " told the truth about the summer. A bank of shingle under the eastern light moved a little with every storm, "
    "and the deep channel moved with it; whoever looked only from May to August would see a channel that stood "
    "still for years and then, one spring, had gone.",
    "The master let her have her paper. In March of the following year the collier Prudence went aground where the "
    "old chart gave five fathoms. There were no lives lost, and the inquiry lasted a single afternoon, because the "
    "clerk had only to open ledger number twenty-one and read aloud.",
    "She is said to have listened from the back of the room, with her hat on. When the clerk had finished she rose,"
    " corrected one figure that he had misread, and went home to wind the clock.",
    "The gauge is still there. A bronze plate beside it gives her name and the years, 1861 to 1892, and beneath "
    "them a line that visitors take for a proverb, though it is only the first entry in the first ledger: read at "
    "six, and again at a quarter past; wind from the west, light; water as I found it.",
)

PRINT_PAGES = (
    *COLUMNS,
    "Ink was made in the kitchen until the end of the century. Oak galls were crushed in a mortar, steeped in rain "
    "water for eight days, and strained through linen; then came the green vitriol, a spoonful at a time, until the"
    " liquid turned from brown to a blue that was nearly black. A little gum kept it from running off the pen.",
    "The surveyor's chain had one hundred links and measured sixty-six feet. Ten square chains made an acre, and "
    "eighty chains a mile, so that a careful man with a chain, a cross-staff, and two boys could lay out forty "
    "acres between breakfast and dusk. The boys carried the pegs, and quarrelled about who should shout the "
    "numbers.",
    "When the mill at Upper Wick was sold in 1903, the inventory ran to seventeen sheets. It listed the wheel, the "
    "shaft and the stones, naturally; but also three cats, a broken fiddle, eleven jars of honey (one of them "
    "opened), and a quantity of string. The buyer, Mr. Joseph Fenn, struck out the cats and signed.",
    "A good index is a kind of courtesy. It supposes that the reader has forgotten the page, or never knew it, and "
    "that he is in a hurry. The compiler of this volume has therefore put every village under its own name, under "
    "the name of its river, and under whatever the people who live there call it when they are annoyed.",
    "Snow lay on the moor from the second week of December until the middle of February. The post came on foot. "
    "Letters that had been written in haste were read at leisure, answered slowly, and sometimes not sent at all; "
    "it was, the schoolmaster remarked, the most reasonable winter of his life.",
    "The lens of the lighthouse weighed nearly two tons and floated in a bath of quicksilver, so nicely balanced "
    "that a child could turn it with one finger. Every evening the keeper drew the curtains that shielded it from "
    "the sun, trimmed four wicks, and wound the clockwork; every fifth hour of the night he wound it again.",
    "Of the forty-six subscribers to the reading room, twenty-nine were weavers. They paid a penny a week, chose "
    "the newspapers by vote, and kept a book in which anyone might enter a complaint. Most complaints concerned the"
    " stove. One, dated June 5, 1848, says only: too much news.",
)

LETTERHEAD = ("HARTLEY & DUNMORE", "Seedsmen and Nurserymen", "14 Orchard Street, Wexcombe", "Telephone 62")

LETTER = (
    "Wexcombe, 9 October 1911",
    "Dear Mr. Alder,",
    "Thank you for the parcel of pears, which",
    "came on Tuesday without a single bruise.",
    "My father thinks they are the old Autumn",
    "Bergamot that grew behind the chapel when",
    "he was a boy, and he has eaten four of them",
    "in order to be certain.",
    "We should like to take cuttings in January,",
    "if the tree can spare them. I would come",
    "myself by the early train and bring the sharp",
    "knife and some damp moss. Please say which",
    "day would trouble you least.",
    "The frost has been kind to us so far, and the",
    "late roses are still in flower along the wall.",
    "With our good wishes to your sister,",
    "I am, yours very truly,",
    "Edith Hartley",
)

POSTSCRIPT = (
    "P.S. I found your garden glove in",
    "the greenhouse, under the vines.",
)

FRENCH_HEADING = "Le Jardin du sourd"

FRENCH = (
    "L'été où la rivière baissa jusqu'à découvrir les pierres du vieux gué, on retrouva dans la vase une cloche "
    "fêlée, large comme un chapeau de curé. Personne, au village, ne se rappelait l'avoir entendue. Le maire la fit"
    " porter à la mairie, où elle gêna tout le monde ; puis à l'école, où les élèves s'en servirent d'encrier.",
    "C'est Barnabé, le jardinier, qui la demanda enfin. Il était sourd depuis l'enfance et cultivait, derrière "
    "l'église, un carré de fèves, de laitues et d'œillets que l'on venait voir de loin. « Qu'en ferez-vous ? » lui "
    "écrivit l'instituteur sur son ardoise. Il haussa les épaules, sourit, et traça dessous : « Elle ne dira rien, "
    "moi non plus ; nous serons à égalité. »",
    "Il la suspendit à la fourche d'un châtaignier, juste assez bas pour y poser la paume. Les jours de vent, quand"
    " les branches la heurtaient, on le voyait s'arrêter au milieu d'une allée, ôter son gant et appuyer la main "
    "sur le bronze. Il restait là, les yeux fermés, aussi longtemps que durait la vibration.",
    "Un soir de septembre, la petite Noëlle, qui apportait des œufs, voulut savoir ce qu'il écoutait. Il prit sa "
    "main, la plaça près de la sienne, et donna un coup léger. Elle sentit passer dans ses doigts quelque chose de "
    "très grave, de très ancien, comme si la rivière entière eût frémi sous le métal. « Ça chuchote », dit-elle.",
    "Barnabé n'avait pas entendu ; mais il avait lu sur ses lèvres. Il hocha la tête, choisit dans la plate-bande "
    "le plus bel œillet, et le lui offrit sans un mot.",
)
