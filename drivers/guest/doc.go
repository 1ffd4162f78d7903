// Package guest boots Debian's kernel in QEMU and lets our drivers meet, in there, what no pseudo-terminal
// imitates: USB modems that the kernel's own `option` driver has bound, which are plugged in, pulled out
// with descriptors open, come back under other numbers, and stop taking bytes.
//
// The modems are made by the same kernel: dummy_hcd is a host controller whose other end is a USB device
// of ours (configfs, four `gser` functions), and behind its ttys speaks gsmsim. ModemManager, which knows
// nothing of us, judges the emulation. Its GPIO simulator and its user-space HID devices are the lamps, buttons and
// USB busy lights.
//
// The tests of the inside run as process 1 of the guest (package inside); this package assembles the
// guest, starts it and gives their results as its own. `make test-guest` runs it, under the build tag guest.
package guest
