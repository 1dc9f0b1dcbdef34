"""The one trainer and its named parts."""
