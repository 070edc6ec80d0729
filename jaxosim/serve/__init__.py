"""Remote grading: a challenge whose episodes are simulated by a server. Needs the extra `serve`.

From the file to the answer: `challenge` (what is graded), `tasks` (the environment that it names),
`database` (accounts, submissions, steps), `session` (one submission's world), `grader` (steps of
many sessions as one batch, stored before they are answered), `app` (HTTP and WebSocket), `pages`
(leaderboard and replay), `regrade` (the stored actions played again).
"""
