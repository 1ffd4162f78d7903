package light

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// setFeature sends a feature report: HIDIOCSFEATURE of linux/hidraw.h, _IOC(read and write, 'H', 6, length).
func setFeature(f *os.File, report []byte) error {
	request := uintptr(3)<<30 | uintptr(len(report))<<16 | 'H'<<8 | 6
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var errno unix.Errno
	err = raw.Control(func(fd uintptr) {
		_, _, errno = unix.Syscall(unix.SYS_IOCTL, fd, request, uintptr(unsafe.Pointer(&report[0])))
	})
	if err == nil && errno != 0 {
		err = errno
	}
	return err
}
