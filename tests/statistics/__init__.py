# ruff: noqa: A005 (a package within tests, so it hides nothing)
