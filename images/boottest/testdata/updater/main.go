// Command updater takes the place of otad: it fetches an order from the machine at the other end of the cable, does it,
// and says what came of it. An order is one line, with a number that the answer has, too.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/board/gate"
	"github.com/pronto-pbx/pronto/firmware/keeper"
	"github.com/pronto-pbx/pronto/ota/fit/promise"
)

const (
	sector  = 512
	ballast = "/data/update/ballast"
)

func main() {
	k, err := keeper.New(keeper.FromEnv(os.Getenv))
	if err == nil {
		err = k.Ready()
	}
	fmt.Fprintln(os.Stderr, "updater: begins", err)
	u := updater{first: gate.NewClient(gate.Path), exchange: promise.New("/run/fit/fit.sock")}
	for {
		if u.vendor == "" {
			u.vendor = router()
		}
		if err := u.turn(); err != nil {
			time.Sleep(200 * time.Millisecond) // the network is not there yet, or the vendor is not
		}
	}
}

type updater struct {
	first    *gate.Client
	exchange *promise.Client
	vendor   string // address
}

// router is that of the box: the vendor of these tests lies there.
func router() string {
	text, err := os.ReadFile("/proc/self/net/route")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		var name string
		var to, by uint32
		if n, _ := fmt.Sscanf(line, "%s %X %X", &name, &to, &by); n == 3 && to == 0 && by != 0 {
			return net.IPv4(byte(by), byte(by>>8), byte(by>>16), byte(by>>24)).String()
		}
	}
	return ""
}

func (u *updater) turn() error {
	if u.vendor == "" {
		return errors.New("no vendor")
	}
	res, err := http.Get("http://" + u.vendor + "/next")
	if err != nil {
		return err
	}
	order, err := io.ReadAll(io.LimitReader(res.Body, 1<<16))
	if err := errors.Join(err, res.Body.Close()); err != nil || len(order) == 0 {
		return err
	}
	number, line, _ := strings.Cut(string(order), " ")
	said, err := u.do(line)
	if err != nil {
		code := ""
		if r, ok := errors.AsType[*gate.Refused](err); ok {
			code = r.Code + ": "
		}
		said = "error: " + code + err.Error()
	}
	res, err = http.Post("http://"+u.vendor+"/said", "text/plain", strings.NewReader(number+" "+said))
	if err == nil {
		err = res.Body.Close()
	}
	return err
}

func (u *updater) do(order string) (said string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute) // a busy computer emulates slowly
	defer cancel()
	verb, rest, _ := strings.Cut(order, " ")
	switch verb {
	case "slots":
		s, err := u.first.Slots(ctx)
		if err != nil {
			return "", err
		}
		b, err := json.Marshal(s)
		return string(b), err
	case "install":
		return "", u.install(ctx)
	case "try":
		return "", u.try(ctx, rest)
	case "keep":
		return "", u.first.KeepSlot(ctx)
	case "back":
		why, words, _ := strings.Cut(rest, " ")
		return "", u.first.LeaveSlot(ctx, why, words)
	case "restart":
		return "", u.first.Restart(ctx)
	case "fill":
		return fill()
	case "empty":
		return "", os.Remove(ballast)
	case "put":
		name, text, _ := strings.Cut(rest, " ")
		return "", put(filepath.Join("/data/update", name), text)
	case "reach":
		c, err := net.DialTimeout("tcp", rest, 10*time.Second)
		if err != nil {
			return "", err
		}
		return "", c.Close()
	case "read":
		return open(rest, os.O_RDONLY)
	case "write":
		return open(rest, os.O_RDWR)
	}
	return "", fmt.Errorf("%q is no order", order)
}

// try has the idle slot started, by a promise of the exchange's that nobody is on the phone.
func (u *updater) try(ctx context.Context, version string) error {
	for {
		token, _, err := u.exchange.Promise(ctx, promise.Wish{For: promise.Lasts})
		switch {
		case err != nil:
			return err
		case token == "": // the last call has only just ended
			time.Sleep(200 * time.Millisecond)
		default:
			err := u.first.TrySlot(ctx, version, token)
			if err != nil {
				err = errors.Join(err, u.exchange.Withdraw(ctx, token))
			}
			return err
		}
	}
}

// put writes a file that a power cut leaves.
func put(name, text string) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// open opens a file and says how it begins.
func open(name string, how int) (said string, err error) {
	f, err := os.OpenFile(name, how, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b := make([]byte, 16)
	n, err := f.Read(b)
	return fmt.Sprintf("%x", b[:n]), err
}

// fill takes all the room that the data has.
func fill() (string, error) {
	f, err := os.OpenFile(ballast, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return "", err
	}
	b := make([]byte, 1<<20)
	total := 0
	for len(b) > 0 {
		n, err := f.Write(b)
		if total += n; err != nil {
			b = b[:len(b)/2]
		}
	}
	return fmt.Sprint(total), errors.Join(f.Sync(), f.Close())
}

// install writes what the vendor has for the idle slot: the first sector is wiped first and written last.
func (u *updater) install(ctx context.Context) error {
	s, err := u.first.Slots(ctx)
	if err != nil {
		return err
	}
	slot, err := os.OpenFile(s.Idle, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer slot.Close()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+u.vendor+"/slot", nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	first := make([]byte, sector)
	if _, err := io.ReadFull(res.Body, first); err != nil {
		return err
	}
	if _, err := slot.WriteAt(make([]byte, sector), 0); err != nil {
		return err
	}
	if _, err := slot.Seek(sector, io.SeekStart); err != nil {
		return err
	}
	n, err := io.Copy(slot, res.Body)
	if err == nil && n+sector != res.ContentLength {
		err = fmt.Errorf("%d of %d bytes", n+sector, res.ContentLength)
	}
	if err != nil {
		return err
	}
	if err := slot.Sync(); err != nil {
		return err
	}
	_, err = slot.WriteAt(first, 0)
	return errors.Join(err, slot.Sync())
}
