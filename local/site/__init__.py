"""`make site`: the console and the docs as files, ready to be served (functions/console/public).

From functions/console/site and docs/ to documents, assets under a folder named after their hash,
a manifest, and everything compressed beside itself. What is up to date is left alone.
"""
