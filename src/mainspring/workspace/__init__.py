"""The workspace: projects, environments, members, roles and API keys.

Who may do what, and where; every request is answered on behalf of one of its keys.
"""
