// Package speaker is a process of its own that has a synthesiser say texts for the exchange. The exchange starts it
// in its first lines, before it gives up for good the right to start programs, and nothing else can be asked of it.
package speaker

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Limits of one text.
const (
	Longest  = 30 * time.Second // that the synthesiser may take
	most     = 32 << 20         // bytes of its sound
	mostSaid = 4 << 10          // bytes of its complaint
)

// ErrFails is what every failure of the synthesiser is.
var ErrFails = errors.New("the synthesiser fails")

// Voices are the synthesiser's, espeak-ng's, by the language of the box.
func voices() map[string]string { return map[string]string{"it": "it+f2", "en": "en-gb+f2"} }

type request struct {
	Number     int // an answer to an earlier one, which nobody waited for, is passed over
	Lang, Text string
}

type answer struct {
	Number int
	Failed string // empty: Sound is whole
	Sound  []byte // a WAV file
}

// Speaker is the exchange's end. Its methods may be called from any goroutine; texts are said one at a time.
type Speaker struct {
	conn    net.Conn
	answers chan answer   // closed when the process is gone
	quit    chan struct{} // closed by Close
	reading sync.WaitGroup

	mu     sync.Mutex // guards what follows
	out    *gob.Encoder
	number int
}

// Start starts a program that calls Serve with its descriptor 3. The process ends when the Speaker is closed, or this
// process ends.
func Start(program string, args ...string) (*Speaker, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "speaker"), os.NewFile(uintptr(pair[1]), "speaker")
	defer ours.Close()
	defer theirs.Close()
	cmd := exec.Command(program, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")} // none of what a supervisor tells this process
	cmd.ExtraFiles, cmd.Stderr = []*os.File{theirs}, os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	conn, err := net.FileConn(ours)
	if err != nil {
		return nil, err
	}
	return Over(conn), nil
}

// Over is a Speaker at the other end of a connection.
func Over(conn net.Conn) *Speaker {
	s := &Speaker{conn: conn, answers: make(chan answer), quit: make(chan struct{}), out: gob.NewEncoder(conn)}
	s.reading.Go(s.read)
	return s
}

func (s *Speaker) read() {
	defer close(s.answers)
	for in := gob.NewDecoder(s.conn); ; {
		var a answer
		if in.Decode(&a) != nil {
			return
		}
		select {
		case s.answers <- a:
		case <-s.quit:
			return
		}
	}
}

// Speak returns a WAV file of a text in a language of the box. It returns ErrFails in words, or ctx's error.
func (s *Speaker) Speak(ctx context.Context, lang, text string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.number++
	if err := s.out.Encode(request{s.number, lang, text}); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFails, err)
	}
	for {
		select {
		case a, ok := <-s.answers:
			switch {
			case !ok:
				return nil, fmt.Errorf("%w: its process has ended", ErrFails)
			case a.Number != s.number:
			case a.Failed != "":
				return nil, fmt.Errorf("%w: %s", ErrFails, a.Failed)
			default:
				return a.Sound, nil
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Close ends the process; nobody may speak any more.
func (s *Speaker) Close() error {
	close(s.quit)
	err := s.conn.Close()
	s.reading.Wait()
	return err
}

// Serve has the program, an espeak-ng, say what is asked for until the other end is closed.
func Serve(conn io.ReadWriter, program string) error {
	in, out := gob.NewDecoder(conn), gob.NewEncoder(conn)
	for {
		var r request
		if err := in.Decode(&r); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		a := answer{Number: r.Number}
		sound, err := say(program, r)
		if err != nil {
			a.Failed = err.Error()
		} else {
			a.Sound = sound
		}
		if err := out.Encode(a); err != nil {
			return err
		}
	}
}

// say gives the text to the program's input: no text is an option of it.
func say(program string, r request) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), Longest)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "-v", voices()[r.Lang], "-s", "145", "--stdin", "--stdout")
	cmd.Stdin = strings.NewReader(r.Text)
	var said, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &bounded{&said, most}, &bounded{&complaint, mostSaid}
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, strings.TrimSpace(complaint.String()))
	}
	return said.Bytes(), nil
}

// bounded takes so many bytes. It hides the buffer's own ReadFrom, which knows no bound.
type bounded struct {
	into *bytes.Buffer
	most int
}

var errBounded = errors.New("more than there is room for")

func (b *bounded) Write(p []byte) (int, error) {
	if b.into.Len()+len(p) > b.most {
		return 0, errBounded
	}
	return b.into.Write(p)
}
