module tidegate.test/plugin

go 1.24
