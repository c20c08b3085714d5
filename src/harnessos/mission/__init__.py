"""Missions: their documents, whether they may run, how their work is judged, and how their memory is tidied."""
