// Package fax is fax machines for tests: libspandsp's, as programs of their own that live in ticks of 20 ms, so that
// a page of a minute takes a moment. They speak in sound, or in T.38, whose datagrams (UDPTL) this package writes and
// reads.
package fax

import (
	"bytes"
	_ "embed"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

//go:embed testdata/machine.c
var source []byte

// Program is the built fax machine.
type Program string

// Build builds the fax machine; without the library the test cannot be.
func Build(t testing.TB) Program {
	t.Helper()
	dir := t.TempDir()
	program, text := filepath.Join(dir, "machine"), filepath.Join(dir, "machine.c")
	if err := os.WriteFile(text, source, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "cc", "-o", program, text, "-lspandsp", "-lm").CombinedOutput()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%v: %s", err, out)
		}
		t.Skipf("no fax machine without libspandsp-dev: %v", err)
	}
	return Program(program)
}

// Points are those of the first page of a TIFF, in one coding whatever that of the file is.
func (p Program) Points(t testing.TB, path string) []byte {
	t.Helper()
	b, err := exec.CommandContext(t.Context(), string(p), "bits", path).Output()
	if err != nil || len(b) == 0 {
		t.Fatalf("points of %s: %d bytes, %v", path, len(b), err)
	}
	return b
}

// Machine is a fax machine in a call.
type Machine struct {
	t     testing.TB
	how   string
	cmd   *exec.Cmd
	ear   io.WriteCloser
	mouth io.Reader
	says  bytes.Buffer
}

// Start begins a call: of who sends the page in the file, or receives one into it.
func (p Program) Start(t testing.TB, sends bool, medium, file string) *Machine {
	t.Helper()
	how := "receive"
	if sends {
		how = "send"
	}
	m := &Machine{t: t, how: how, cmd: exec.CommandContext(t.Context(), string(p), how, medium, file)}
	var err error
	if m.ear, err = m.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if m.mouth, err = m.cmd.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	m.cmd.Stderr = &m.says
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // a second end is no error
		_ = m.ear.Close()
		_ = m.cmd.Wait()
	})
	return m
}

// The media of a machine.
const (
	Audio = "audio"
	T38   = "t38"
)

// Hear lets a machine of sound hear a tick and returns what it says.
func (m *Machine) Hear(heard []int16) (says [160]int16) {
	m.t.Helper()
	m.write(heard)
	m.read(&says)
	return says
}

// Message is one of T.38 with its number.
type Message struct {
	Seq  uint16
	Data []byte
}

// Tick gives a machine of T.38 the messages that have come in 20 ms and returns those that it sends.
func (m *Machine) Tick(come []Message) (sends []Message) {
	m.t.Helper()
	b := binary.NativeEndian.AppendUint16(nil, uint16(len(come)))
	for _, x := range come {
		b = binary.NativeEndian.AppendUint16(b, x.Seq)
		b = binary.NativeEndian.AppendUint16(b, uint16(len(x.Data)))
		b = append(b, x.Data...)
	}
	m.write(b)
	var n uint16
	for m.read(&n); n > 0; n-- {
		var head [2]uint16
		m.read(&head)
		x := Message{head[0], make([]byte, head[1])}
		m.read(x.Data)
		sends = append(sends, x)
	}
	return sends
}

func (m *Machine) write(v any) {
	m.t.Helper()
	if err := binary.Write(m.ear, binary.NativeEndian, v); err != nil {
		m.t.Fatal(err)
	}
}

func (m *Machine) read(v any) {
	m.t.Helper()
	if err := binary.Read(m.mouth, binary.NativeEndian, v); err != nil {
		m.t.Fatalf("the machine that is to %s: %v", m.how, err)
	}
}

// Whole ends the call and fails the test unless the machine says that one page went through without an error, at no
// less than 9600 bit/s.
func (m *Machine) Whole() {
	m.t.Helper()
	_ = m.ear.Close()
	if err := m.cmd.Wait(); err != nil {
		m.t.Fatalf("fax: %v: %s", err, &m.says)
	}
	said := strings.TrimSpace(m.says.String())
	var result, pages, bad, rate int
	if _, err := fmt.Sscanf(said, "result %d pages %d bad_rows %d bit_rate %d", &result, &pages, &bad, &rate); err != nil {
		m.t.Fatalf("%q: %v", said, err)
	}
	if result != 0 || pages != 1 || bad != 0 || rate < 9600 {
		m.t.Errorf("%s: %s", m.how, said)
	}
}
