// What a Raspberry Pi needs beside our own programs: a kernel and its boot loader's files. They stand apart
// from go.mod so that no program carries them. `go mod download -modfile` checks them against boot.sum.
module github.com/pronto-pbx/pronto

go 1.26.0

require (
	github.com/gokrazy/firmware v0.0.0-20260522070551-527ce0ed43cf
	github.com/gokrazy/kernel.arm64 v0.0.0-20260705071517-37841c4d6ff1 // for tests: another kernel than that of the boards
	github.com/gokrazy/kernel.rpi v0.0.0-20251127164438-9778ec0261de
)
