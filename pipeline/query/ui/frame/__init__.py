"""What every page stands in: session, language, figures as people read them, the time that is looked at."""
