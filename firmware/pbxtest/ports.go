package pbxtest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// Ports that a program binds later than the test chose them lie below the kernel's ephemeral range and are claimed
// until the test ends. A port that is merely found free and let go again belongs, a moment later, to any socket of
// any test beside this one that asked the kernel for one.
const (
	portLo, portHi   = 5100, 8079   // SIP and page of offices, consoles of phones, SIPp; nobody has these on an address of his own
	mediaLo, mediaHi = 10000, 19999 // audio of offices, mediaPorts each; from 20000 on others have them on addresses of their own
	soundLo, soundHi = 28000, 31999 // audio of linphone, two each; baresip looks for its own in 26000-27999
	mediaPorts       = 200
	browsersPort     = 16382 // of the default configuration
)

// FreePort claims a port that is free for UDP and TCP.
func FreePort(t testing.TB) uint16 {
	t.Helper()
	return claimed(t, portLo, portHi, 1)
}

// claimed claims n ports in a row and returns the first, which is a multiple of n after lo. The start is drawn, so
// that what is late for the last program meets nobody.
func claimed(t testing.TB, lo, hi, n int) uint16 {
	t.Helper()
	places := (hi - lo + 1) / n
	first := rand.IntN(places)
	for i := range places {
		port := lo + (first+i)%places*n
		if !shunned(port, n) && claim(t, port) {
			return uint16(port)
		}
	}
	t.Fatalf("no port of %d-%d is free", lo, hi)
	return 0
}

// shunned are, of our range, the ports that browsers go to for nobody, since other protocols live there (WHATWG Fetch,
// "port blocking"), and that which an office has for browsers unless it says so: audio elsewhere must not cover it.
func shunned(port, n int) bool {
	return port == 6000 || port == 6566 || port >= 6665 && port <= 6669 || port == 6679 || port == 6697 ||
		port <= browsersPort && browsersPort < port+n
}

// claim takes a port for this test alone. The mark is a name of the network namespace, as ports are, and goes with
// its process.
func claim(t testing.TB, port int) bool {
	mark, err := net.Listen("unix", fmt.Sprintf("@pronto-test-port-%d", port))
	if err != nil {
		return false
	}
	at := fmt.Sprintf("127.0.0.1:%d", port)
	l, err := net.Listen("tcp", at)
	if err == nil {
		_ = l.Close()
		var u net.PacketConn
		if u, err = net.ListenPacket("udp", at); err == nil {
			_ = u.Close()
		}
	}
	if err != nil {
		_ = mark.Close()
		return false
	}
	t.Cleanup(func() { _ = mark.Close() })
	return true
}
