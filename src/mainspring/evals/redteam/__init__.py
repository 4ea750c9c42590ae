"""Red teaming: attacks on a target from packs, our own and those of installed packages, and what came of them.

Each attack brings the signs that show whether it came through; what nothing shows is called unclear.
"""

from mainspring.evals.redteam.models import AttackResult, FamilyResult, RedTeam, RedTeamComparison
from mainspring.evals.redteam.service import RedTeams

__all__ = ["AttackResult", "FamilyResult", "RedTeam", "RedTeamComparison", "RedTeams"]
