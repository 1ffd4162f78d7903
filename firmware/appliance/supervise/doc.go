// Package supervise owns a few processes: it starts them, restarts what dies, keeps their sockets
// meanwhile and leaves nothing behind. It speaks systemd's notification protocol with them
// (sd_notify(3), FDSTORE included), so that the same program runs under systemd unchanged. The
// demo office and the image's PID 1 use it.
package supervise
