package control

import (
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// PID is the process number of the prontod whose state lies in dir, as the kernel knows it of the control
// socket's other end (SO_PEERCRED, unix(7)).
func PID(dir string) (int, error) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: Path(dir), Net: "unix"})
	if err != nil {
		return 0, fmt.Errorf("prontod does not run: %w", err)
	}
	defer conn.Close()
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("prontod: %w", err)
	}
	var peer *unix.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) { peer, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err := errors.Join(err, failed); err != nil {
		return 0, fmt.Errorf("prontod: %w", err)
	}
	return int(peer.Pid), nil
}
