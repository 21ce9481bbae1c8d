"""A Lambda runtime that streams: Python's own (awslambdaric) can only answer in one piece.

Nothing imports this package: Lambda starts it through `exec-wrapper` (AWS_LAMBDA_EXEC_WRAPPER of a
function). To remove it, remove that variable and this folder; docs/decisions/0001 says when.
"""
