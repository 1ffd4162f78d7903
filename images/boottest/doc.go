// Package boottest starts an image in an emulated machine and judges it from outside: by its page, by real
// SIP calls over a cable of its own, by power cuts and by the hardware that resets it. `make test-image` runs
// it, with -image.boot. With -deb.boot, `make test-packages` has it install the packages in a Debian of its own; with
// -update.boot, `make test-update` has it try releases on a box with two slots. Without any it does nothing, because it
// takes minutes.
package boottest
