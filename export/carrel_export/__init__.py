"""Training and export of Carrel's models. Needs the ``export`` extra (torch); never imported at run time."""
