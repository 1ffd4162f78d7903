package pbxtest

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
)

// Linphone is a real telephone of another maker, remote-controlled by its console. It says a tone from
// a file and writes down what it hears.
type Linphone struct {
	t     testing.TB
	dir   string
	heard string // the file that it writes
	stdin io.WriteCloser
	cmd   *exec.Cmd
	lines chan string
	read  sync.WaitGroup

	mu  sync.Mutex // guards out
	out strings.Builder
}

// Linphone starts a phone of the office and waits until it is registered. It ends with the test.
// Settings are further ones of its section "sip", such as "media_encryption=srtp".
func (o *Office) Linphone(number, hz int, settings ...string) *Linphone {
	o.t.Helper()
	p := o.linphone(number, hz, "", settings)
	o.Phone(number)
	return p
}

// LinphoneTLS is Linphone over TLS with SRTP only: it knows the box's certificate and takes no other.
func (o *Office) LinphoneTLS(number, hz int) *Linphone {
	o.t.Helper()
	p := o.linphone(number, hz, o.Certificate(), nil)
	o.Phone(number)
	return p
}

// LinphoneDeceived is LinphoneTLS that knows the certificate of another office and takes no other. It returns
// when the phone has refused the box's and given its log-in up.
func (o *Office) LinphoneDeceived(number int, other *Office) {
	o.t.Helper()
	p := o.linphone(number, 0, other.Certificate(), nil, "-d", "6", "-l", "log")
	o.await("linphone to refuse the certificate", patience, func() bool {
		text, err := os.ReadFile(filepath.Join(p.dir, "log"))
		return err == nil && strings.Contains(string(text), "Certificate verification failed") && strings.Contains(string(text), "[LinphoneRegistrationFailed]")
	})
	p.end()
}

// linphone starts the program, which logs in by itself: over TLS where a certificate is given by which it
// knows the box.
func (o *Office) linphone(number, hz int, trusted string, settings []string, options ...string) *Linphone {
	o.t.Helper()
	program := Tool(o.t, "linphonec", "linphone-cli")
	dir, err := os.MkdirTemp("", "linphone")
	if err != nil {
		o.t.Fatal(err)
	}
	p := &Linphone{t: o.t, dir: dir, heard: filepath.Join(dir, "heard.wav"), lines: make(chan string, 1024)}
	sip, rtp := FreePort(o.t), claimed(o.t, soundLo, soundHi, 2)
	o.t.Cleanup(p.end)
	if err := os.MkdirAll(filepath.Join(dir, ".local", "share", "linphone"), 0o700); err != nil { // without its data base it does not start
		o.t.Fatal(err)
	}
	at, transport, security := o.SIP, "", "sip_tls_port=0\n"
	if trusted != "" {
		at, transport = o.TLS, ";transport=tls"
		security = "sip_tls_port=-1\nverify_server_certs=1\nverify_server_cn=0\nroot_ca=" + trusted + "\nmedia_encryption=srtp\nmedia_encryption_mandatory=1\n"
	}
	files := map[string][]byte{
		"rc": fmt.Appendf(nil, "[sip]\nsip_port=%d\nsip_tcp_port=0\n%sguess_hostname=0\ncontact=sip:%d@127.0.0.1\n"+
			"ipv6=0\n%s[rtp]\naudio_rtp_port=%d\naudio_adaptive_jitt_comp_enabled=0\n[sound]\nechocancellation=0\n"+
			"[video]\nenabled=0\ncapture=0\ndisplay=0\n[audio_codec_0]\nmime=PCMA\nrate=8000\nchannels=1\nenabled=1\n", sip, security, number, strings.Join(append(settings, ""), "\n"), rtp),
		"tone.wav": tone.WAV(tone.Sine(hz, 60*tone.Rate)),
	}
	for name, body := range files {
		if err := os.WriteFile(filepath.Join(dir, name), body, 0o600); err != nil {
			o.t.Fatal(err)
		}
	}
	p.cmd = exec.Command(program, append(options, "-c", filepath.Join(dir, "rc"))...)
	p.cmd.Dir, p.cmd.Env = dir, append(os.Environ(), "HOME="+dir)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		o.t.Fatal(err)
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		o.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		o.t.Fatal(err)
	}
	p.read.Go(func() { p.listen(stdout) })
	p.say("soundcard use files")
	for codec := range 3 { // opus and speex: the test tones are told apart at 8,000 Hz
		p.say(fmt.Sprintf("codec disable %d", codec))
	}
	p.say("play " + filepath.Join(dir, "tone.wav"))
	p.say("record " + p.heard)
	p.say(fmt.Sprintf("register sip:%d@%s sip:%[2]s%s %s", number, at, transport, Password(number)))
	return p
}

func (p *Linphone) listen(r io.Reader) {
	defer close(p.lines)
	s := bufio.NewScanner(r)
	for s.Scan() {
		line := strings.TrimPrefix(s.Text(), "linphonec> ")
		p.mu.Lock()
		p.out.WriteString(line + "\n")
		p.mu.Unlock()
		select {
		case p.lines <- line:
		default: // nobody looks: the test is at its end
		}
	}
}

func (p *Linphone) say(command string) {
	p.t.Helper()
	if _, err := io.WriteString(p.stdin, command+"\n"); err != nil {
		p.t.Fatalf("linphone does not take %q: %v", command, err)
	}
}

// Until waits for a line that holds the text, such as "incoming call", "connected" or "ended".
func (p *Linphone) Until(text string) string {
	p.t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				p.t.Fatalf("linphone ended while %q was awaited", text)
			}
			if strings.Contains(line, text) {
				return line
			}
		case <-timeout:
			p.t.Fatalf("linphone: no %q", text)
		}
	}
}

// Dial calls a number at the office.
func (p *Linphone) Dial(number string) { p.t.Helper(); p.say("call " + number) }

// Answer takes the call that rings.
func (p *Linphone) Answer() { p.t.Helper(); p.say("answer") }

// Hangup ends the calls.
func (p *Linphone) Hangup() { p.t.Helper(); p.say("terminate all") }

// Hold puts the call with that id (they count from 1) on hold.
func (p *Linphone) Hold(id int) { p.t.Helper(); p.say(fmt.Sprintf("pause %d", id)) }

// Resume takes it back.
func (p *Linphone) Resume(id int) { p.t.Helper(); p.say(fmt.Sprintf("resume %d", id)) }

// Press sends keys as telephone-events (RFC 4733).
func (p *Linphone) Press(keys string) {
	p.t.Helper()
	for _, k := range keys {
		p.say(string(k))
	}
}

// Transfer sends the partner of a call to a number.
func (p *Linphone) Transfer(id int, number string) {
	p.t.Helper()
	p.say(fmt.Sprintf("transfer %d %s", id, number))
}

// Join sends the partner of one call to that of another (attended transfer).
func (p *Linphone) Join(id, other int) {
	p.t.Helper()
	p.say(fmt.Sprintf("transfer %d --to-call %d", id, other))
}

// Conference mixes the partners of calls with each other; the own voice is a file and has no part in it.
func (p *Linphone) Conference(ids ...int) {
	p.t.Helper()
	for _, id := range ids {
		p.say(fmt.Sprintf("conference add %d", id))
	}
}

// Heard ends the phone and returns the end of what it heard: a second before the last 300 ms.
func (p *Linphone) Heard() []int16 {
	p.t.Helper()
	p.end()
	body, err := os.ReadFile(p.heard)
	if err != nil {
		p.t.Fatal(err)
	}
	pcm, ok := tone.FromWAV(body)
	if !ok {
		p.t.Fatalf("%s is no sound of 8,000 Hz (%d bytes)", p.heard, len(body))
	}
	return lastWords(pcm)
}

func (p *Linphone) end() {
	if p.cmd == nil || p.cmd.Process == nil {
		return
	}
	_, _ = io.WriteString(p.stdin, "quit\n")
	killer := time.AfterFunc(5*time.Second, func() { _ = p.cmd.Process.Kill() })
	p.read.Wait()
	_ = p.cmd.Wait()
	killer.Stop()
	p.cmd = nil
	if p.t.Failed() {
		p.mu.Lock()
		p.t.Logf("linphone said:\n%s", p.out.String())
		p.mu.Unlock()
	}
	p.t.Cleanup(func() { _ = os.RemoveAll(p.dir) })
}
