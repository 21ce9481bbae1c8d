"""`make mutants`: change the source at random, one change at a time; does a test notice?"""
