package gsm_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/drivers/gsm"
	"github.com/pronto-pbx/pronto/drivers/serialport"
	"github.com/pronto-pbx/pronto/drivers/serialport/wire"
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// A transcript is what passed a real modem's port, in the form of at.Recorder's dump, so that a failure in
// the field becomes a test by copying its record:
//
//	1.250 < "\r\nRING\r\n"          the modem says these bytes, as long after the entry before as there
//	1.300 > "ATA\r"                 the driver must say this before anything below happens
//	2.000 ~ "AT+CLCC" "\r\nOK\r\n"  from now on this is the modem's answer to a command that is not awaited
//	2.000 @ answer                  the box acts: answer, dial NUMBER, hangup
//	2.000 = connected               the box must hear this before anything below happens, within 30 s
//
// "# " begins a remark, "! model NAME" says what the modem calls itself.
type entry struct {
	line int
	at   time.Duration
	kind byte // one of < > ~ @ =
	text string
	more string // of ~
}

func parseTranscript(source string) (model string, all []entry, err error) {
	model = "ACME-1"
	n := 0
	for l := range strings.Lines(source) {
		n++
		l = strings.TrimSpace(l)
		if l == "" || strings.HasPrefix(l, "#") {
			continue
		}
		if name, ok := strings.CutPrefix(l, "! model "); ok {
			model = name
			continue
		}
		seconds, rest, _ := strings.Cut(l, " ")
		at, e := strconv.ParseFloat(seconds, 64)
		if e != nil || len(rest) < 3 || rest[1] != ' ' || !strings.Contains("<>~@=", rest[:1]) {
			return "", nil, fmt.Errorf("line %d: %q", n, l)
		}
		x := entry{line: n, at: time.Duration(at * float64(time.Second)), kind: rest[0], text: rest[2:]}
		if strings.Contains("<>~", rest[:1]) {
			first, e := strconv.QuotedPrefix(x.text)
			if e != nil {
				return "", nil, fmt.Errorf("line %d: %w", n, e)
			}
			second := strings.TrimSpace(x.text[len(first):])
			if x.text, e = strconv.Unquote(first); e == nil && x.kind == '~' {
				x.more, e = strconv.Unquote(second)
			}
			if e != nil {
				return "", nil, fmt.Errorf("line %d: %w", n, e)
			}
		}
		if len(all) > 0 && x.at < all[len(all)-1].at {
			return "", nil, fmt.Errorf("line %d: the time goes back", n)
		}
		all = append(all, x)
	}
	return model, all, nil
}

// puppet is a modem that says what the transcript says, and something sensible to all other commands.
type puppet struct {
	port     serialport.Stream
	answers  map[string]string
	awaited  chan string // what the transcript waits for
	received chan string // the same, when it has come
}

func newPuppet(port serialport.Stream, model string) *puppet {
	p := &puppet{port: port, awaited: make(chan string, 1), received: make(chan string, 1), answers: map[string]string{}}
	for cmd, lines := range map[string][]string{
		"AT+CGMM": {model}, "AT+CGMR": {"R1"}, "AT+CGSN": {"860000000000001"}, "AT+CPIN?": {"+CPIN: READY"}, "AT+CREG?": {"+CREG: 2,1"},
		"AT+CEREG?": {"+CEREG: 2,1"}, "AT+CSQ": {"+CSQ: 20,99"}, "AT+COPS?": {`+COPS: 0,0,"Carrier",7`}, "AT+CMEE?": {"+CMEE: 1"},
		"AT+CRC?": {"+CRC: 0"}, "AT+CMGF?": {"+CMGF: 0"}, "AT+CPCMREG?": {"+CPCMREG: 1"}, "AT+CVHU?": {"+CVHU: 0"},
	} {
		p.answers[cmd] = "\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\nOK\r\n"
	}
	return p
}

// run answers until the port is closed. news are changes of the answers.
func (p *puppet) run(news <-chan entry) {
	var line []byte
	waits := ""
	bytes := make(chan []byte)
	go func() {
		defer close(bytes)
		buf := make([]byte, 512)
		for {
			n, err := p.port.Read(buf)
			if err != nil {
				return
			}
			bytes <- slices.Clone(buf[:n])
		}
	}()
	for {
		select {
		case waits = <-p.awaited:
		case e := <-news:
			p.answers[e.text] = e.more
		case b, ok := <-bytes:
			if !ok {
				return
			}
			for _, c := range b {
				if line = append(line, c); c != '\r' && c != 0x1a {
					continue
				}
				said := string(line)
				line = line[:0]
				if said == waits {
					waits = ""
					p.received <- said
					continue
				}
				answer, known := p.answers[strings.TrimRight(said, "\r")]
				if !known {
					answer = "\r\nOK\r\n"
				}
				_, _ = p.port.Write([]byte(answer))
			}
		}
	}
}

// eventWords name the events as transcripts do.
var eventWords = map[line.EventKind]string{
	line.Incoming: "incoming", line.Proceeding: "proceeding", line.Alerting: "alerting", line.Connected: "connected", line.Digit: "digit",
	line.Ended: "ended", line.Recovered: "recovered",
}

func wordsOf(e line.Event) string {
	switch e.Kind {
	case line.Incoming:
		return strings.TrimSpace("incoming " + string(e.Number))
	case line.Digit:
		return "digit " + string(rune(e.Digit))
	case line.Ended:
		return "ended " + e.Cause.String()
	default:
		return eventWords[e.Kind]
	}
}

func replay(t *testing.T, source string) {
	model, all, err := parseTranscript(source)
	if err != nil {
		t.Fatal(err)
	}
	bus := &wire.Bus{}
	port, sound := bus.Plug("at"), bus.Plug("pcm")
	puppet := newPuppet(port, model)
	news, done := make(chan entry), make(chan struct{})
	go func() {
		defer close(done)
		puppet.run(news)
	}()
	m, err := gsm.Open(gsm.Config{ID: "gsm0", Bus: bus, Locate: gsm.AtPaths("at", "pcm")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = m.Close()
		_, _ = port.Close(), sound.Close()
		<-done
		if t.Failed() {
			_ = m.Recorder().Dump(t.Output())
		}
	}()
	await(t, m, line.Status, inService)
	time.Sleep(time.Second) // its messages have been looked through
	// What the driver must say next is awaited from the moment of the last such thing: it may come in answer
	// to any entry in between.
	arm := func(rest []entry) {
		if i := slices.IndexFunc(rest, func(e entry) bool { return e.kind == '>' }); i >= 0 {
			puppet.awaited <- rest[i].text
		}
	}
	arm(all)
	before := time.Duration(0)
	for i, e := range all {
		if e.kind == '<' {
			time.Sleep(e.at - before) // the driver's and the box's own times are theirs
		}
		before = e.at
		if !playEntry(t, m, puppet, news, e) {
			return
		}
		if e.kind == '>' {
			arm(all[i+1:])
		}
	}
}

// patience is how long the driver may take for what it must say, and for what the box must hear.
const patience = 30 * time.Second

// playEntry does what one entry says; false when it does not come true.
func playEntry(t *testing.T, m *gsm.Modem, p *puppet, news chan<- entry, e entry) bool {
	switch e.kind {
	case '<':
		if _, err := p.port.Write([]byte(e.text)); err != nil {
			t.Fatal(err)
		}
	case '>':
		select {
		case <-p.received:
		case <-time.After(patience):
			t.Errorf("line %d: the driver does not say %q", e.line, e.text)
			return false
		}
	case '~':
		news <- e
	case '@':
		act, number, _ := strings.Cut(e.text, " ")
		// Nobody waits for the outcome: it is in the transcript.
		switch act {
		case "answer":
			go func() { _ = m.Answer(t.Context()) }()
		case "hangup":
			go func() { _ = m.Hangup(t.Context(), tel.CauseNormal) }()
		case "dial":
			go func() { _ = m.Dial(t.Context(), tel.Number(number)) }()
		default:
			t.Fatalf("line %d: nobody can %q", e.line, act)
		}
	case '=':
		limit := time.After(patience)
		for {
			select {
			case ev := <-m.Events():
				if ev.Kind == line.Status {
					continue
				}
				if got := wordsOf(ev); got != e.text {
					t.Errorf("line %d: the box hears %q, want %q", e.line, got, e.text)
					return false
				}
				return true
			case <-limit:
				t.Errorf("line %d: the box does not hear %q", e.line, e.text)
				return false
			}
		}
	}
	return true
}

func TestTranscriptsOfModemsLeadToTheSameEventsAgain(t *testing.T) {
	all, err := filepath.Glob("testdata/replay/*.txt")
	if err != nil || len(all) < 8 {
		t.Fatalf("%v, %v", all, err)
	}
	for _, path := range all {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			source, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) { replay(t, string(source)) })
		})
	}
}

func TestMistakesOfATranscriptAreNamed(t *testing.T) {
	for _, bad := range []string{"1.0 < RING", "x < \"RING\"", "1.0 ? \"RING\"", "1.0 ~ \"AT\"", "2.0 @ answer\n1.0 @ hangup", "1.0"} {
		if _, _, err := parseTranscript(bad); err == nil || !strings.Contains(err.Error(), "line ") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
