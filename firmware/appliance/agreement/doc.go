// Package agreement holds no program: its tests cut the journals of calls and queues apart, each at another write, and
// demand that both agree again after the restart, and that nobody is lost.
package agreement
