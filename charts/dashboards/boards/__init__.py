"""The Grafana boards, as code: one module a board, each with `board()`."""
