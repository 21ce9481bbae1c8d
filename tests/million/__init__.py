"""`make million`: the reconciliation of a day on which a million accounts used the API.

The items are generated, the store is DynamoDB Local, and each run stops when Lambda's would. It
says how many runs it takes, how much CPU, and what the reads and writes cost at DynamoDB.
"""
