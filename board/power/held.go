package power

import (
	"os"
	"path/filepath"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Wish is what somebody wants who holds the button when the box is switched on.
type Wish int

// The wishes, by how long the button is held.
const (
	Nothing Wish = iota
	Help         // for Hold: the recovery system
	Forget       // for HoldLong: a factory reset
)

// Hold and HoldLong are for how long the button is held, from when the box looks at it.
const (
	Hold     = 3 * time.Second
	HoldLong = 20 * time.Second
)

// wished is what holding the button for so long means.
func wished(d time.Duration) Wish {
	switch {
	case d >= HoldLong:
		return Forget
	case d >= Hold:
		return Help
	}
	return Nothing
}

// Wished waits until the button that is held, if it is, is let go or has been held for long enough. down tells
// whether it is held at this moment; meanwhile is called some times a second.
func Wished(down func() bool, meanwhile func(Wish)) Wish {
	begun := time.Now()
	for down() {
		w := wished(time.Since(begun))
		meanwhile(w)
		if w == Forget {
			return w
		}
		time.Sleep(100 * time.Millisecond)
	}
	return wished(time.Since(begun))
}

// keyBytes is the length of the map of keys that the kernel gives out, one bit each.
const keyBytes = (0x2ff + 8) / 8

// evIOCGKey is EVIOCGKEY(keyBytes), _IOR('E', 0x18, char[keyBytes]) of <linux/input.h>.
const evIOCGKey = 2<<30 | keyBytes<<16 | 'E'<<8 | 0x18

// Down tells whether a power button of any of the input devices that match pattern is held now.
func Down(pattern string) bool {
	devices, err := filepath.Glob(pattern)
	if err != nil {
		return false
	}
	for _, at := range devices {
		if down(at) {
			return true
		}
	}
	return false
}

func down(at string) bool {
	f, err := os.OpenFile(at, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	raw, err := f.SyscallConn()
	if err != nil {
		return false
	}
	var keys [keyBytes]byte
	held := false
	err = raw.Control(func(fd uintptr) {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, evIOCGKey, uintptr(unsafe.Pointer(&keys)))
		held = errno == 0 && isDown(keys[:], keyPower)
	})
	return err == nil && held
}

func isDown(keys []byte, key int) bool { return keys[key/8]&(1<<(key%8)) != 0 }
