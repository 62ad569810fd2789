module tidegate.dev/tests/cluster/tether

go 1.26.0
