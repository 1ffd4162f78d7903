package pbxtest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
)

// Baresip is a real telephone, remote-controlled over its ctrl_tcp module. It says a tone from a file
// and its sndfile module writes down what it hears.
type Baresip struct {
	t      testing.TB
	dir    string
	conn   net.Conn
	cmd    *exec.Cmd
	out    bytes.Buffer
	events chan event
	read   sync.WaitGroup
	ended  bool
}

// event is a line of ctrl_tcp.
type event struct {
	Event  bool   `json:"event"`
	Type   string `json:"type"`
	Param  string `json:"param"`
	Reply  bool   `json:"response"`
	OK     bool   `json:"ok"`
	Detail string `json:"data"`
}

// modules is where Debian puts them.
const modules = "/usr/lib/baresip/modules"

// saysFor is for how long a phone has something to say, in seconds: baresip hangs up when its sound is over.
const saysFor = 600

// Baresip starts a phone of the office and waits until it is registered. It ends with the test. Params
// are further ones of its account, such as "mediaenc=srtp-mand".
func (o *Office) Baresip(number, hz int, params ...string) *Baresip {
	o.t.Helper()
	return o.baresip(number, hz, o.SIP, params, nil)
}

// BaresipOpus is Baresip with no other codec than Opus, by libopus.
func (o *Office) BaresipOpus(number, hz int, params ...string) *Baresip {
	o.t.Helper()
	return o.baresip(number, hz, o.SIP, append([]string{"audio_codecs=opus"}, params...), nil)
}

// BaresipTLS is Baresip over TLS. Debian's version 1.0 looks at no certificate of the other end, whatever its
// configuration says; LinphoneDeceived is the judge of that.
func (o *Office) BaresipTLS(number, hz int, params ...string) *Baresip {
	o.t.Helper()
	return o.baresip(number, hz, o.TLS, params, nil)
}

// BaresipTCP is Baresip over TCP.
func (o *Office) BaresipTCP(number, hz int, params ...string) *Baresip {
	o.t.Helper()
	return o.baresip(number, hz, o.SIP, append([]string{"outbound=\"sip:" + o.SIP.String() + ";transport=tcp\""}, params...), nil)
}

// BaresipWatching starts a phone that watches the presence of the colleagues that are named.
func (o *Office) BaresipWatching(number, hz int, watched ...int) *Baresip {
	o.t.Helper()
	return o.baresip(number, hz, o.SIP, nil, watched)
}

func (o *Office) baresip(number, hz int, at netip.AddrPort, params []string, watched []int) *Baresip {
	o.t.Helper()
	program := Tool(o.t, "baresip", "baresip-core")
	dir, err := os.MkdirTemp("", "baresip")
	if err != nil {
		o.t.Fatal(err)
	}
	p := &Baresip{t: o.t, dir: dir, events: make(chan event, 256)}
	control := FreePort(o.t)
	o.t.Cleanup(p.end)
	config := []string{
		"sip_listen 127.0.0.1:0", "net_interface 127.0.0.1", "module_path " + modules,
		"module g711.so", "module opus.so", "opus_stereo no", "opus_sprop_stereo no", "module aufile.so", "module sndfile.so", "module srtp.so", "module_app account.so", "module_app menu.so", "module_app ctrl_tcp.so",
		fmt.Sprintf("ctrl_tcp_listen 127.0.0.1:%d", control),
		"audio_source aufile," + filepath.Join(dir, "tone.wav"), "ausrc_srate 8000", "auplay_srate 8000",
		"ausrc_channels 1", "auplay_channels 1", "audio_buffer 20-160", "snd_path " + dir, "rtp_ports 26000-27999",
	}
	transport := ""
	if at == o.TLS {
		transport = ";transport=tls"
		config = append(config, "sip_cafile "+o.Certificate(), "sip_verify_server yes") // from version 1.1 on
	}
	account := fmt.Sprintf("<sip:%d@%s%s>;auth_user=%[1]d;auth_pass=%[4]s;regint=600;answermode=manual", number, at, transport, Password(number))
	if !slices.ContainsFunc(params, func(p string) bool { return strings.HasPrefix(p, "audio_codecs=") }) {
		params = append([]string{"audio_codecs=PCMA"}, params...)
	}
	account = strings.Join(append([]string{account}, params...), ";") + "\n"
	contacts := ""
	for _, n := range watched {
		contacts += fmt.Sprintf("\"Agent %[1]d\" <sip:%[1]d@%[2]s>;presence=p2p\n", n, o.SIP)
	}
	if watched != nil {
		config = append(config, "module_app contact.so", "module_app presence.so")
	}
	files := map[string][]byte{
		"config": []byte(strings.Join(config, "\n") + "\n"), "accounts": []byte(account), "contacts": []byte(contacts),
		"tone.wav": tone.WAV(tone.Sine(hz, saysFor*tone.Rate)),
	}
	for name, body := range files {
		if err := os.WriteFile(filepath.Join(dir, name), body, 0o600); err != nil {
			o.t.Fatal(err)
		}
	}
	p.cmd = exec.Command(program, "-f", dir)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, &p.out, &p.out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		o.t.Fatal(err)
	}
	o.await("baresip to listen", 10*time.Second, func() bool {
		p.conn, err = net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", control))
		return err == nil
	})
	p.read.Go(p.listen)
	o.Phone(number)
	return p
}

// listen reads the netstrings of the remote control.
func (p *Baresip) listen() {
	defer close(p.events)
	r := bufio.NewReader(p.conn)
	for {
		size, err := r.ReadString(':')
		if err != nil {
			return
		}
		n, err := strconv.Atoi(strings.TrimSuffix(size, ":"))
		if err != nil || n < 0 || n > 1<<20 {
			return
		}
		body := make([]byte, n+1) // with the comma
		if _, err := io.ReadFull(r, body); err != nil {
			return
		}
		var e event
		if json.Unmarshal(body[:n], &e) != nil {
			continue
		}
		select {
		case p.events <- e:
		default: // nobody looks: the test is at its end
		}
	}
}

func (p *Baresip) command(name, params string) {
	p.t.Helper()
	text, err := json.Marshal(map[string]string{"command": name, "params": params})
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := fmt.Fprintf(p.conn, "%d:%s,", len(text), text); err != nil {
		p.t.Fatalf("baresip does not take %q: %v", name, err)
	}
}

// Until waits for an event of that type, such as CALL_INCOMING, CALL_ESTABLISHED or CALL_CLOSED, and
// returns what it says of the other party.
func (p *Baresip) Until(kind string) string {
	p.t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case e, ok := <-p.events:
			if !ok {
				p.t.Fatalf("baresip ended while %s was awaited", kind)
			}
			if e.Type == kind {
				return e.Param
			}
			if e.Type == "CALL_CLOSED" {
				p.t.Fatalf("the call ended (%s) while %s was awaited", e.Param, kind)
			}
		case <-timeout:
			p.t.Fatalf("baresip: no %s", kind)
		}
	}
}

// Colleagues waits until the phone's list of contacts holds the word, such as "Online".
func (p *Baresip) Colleagues(word string) {
	p.t.Helper()
	var last string
	for timeout := time.After(patience); ; {
		p.command("contacts", "")
		for answered := false; !answered; {
			select {
			case e, ok := <-p.events:
				if !ok {
					p.t.Fatalf("baresip ended while its contacts were to show %q", word)
				}
				if answered = e.Reply; answered {
					last = e.Detail
				}
			case <-timeout:
				p.t.Fatalf("baresip's contacts do not show %q, but %s", word, last)
			}
		}
		if strings.Contains(last, word) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// Dial calls a number at the office.
func (p *Baresip) Dial(number string) { p.t.Helper(); p.command("dial", number) }

// Answer takes the call that rings.
func (p *Baresip) Answer() { p.t.Helper(); p.command("accept", "") }

// Hangup ends or refuses the call.
func (p *Baresip) Hangup() { p.t.Helper(); p.command("hangup", "") }

// Hold and Resume stop and take up the call.
func (p *Baresip) Hold() { p.t.Helper(); p.command("hold", "") }

// Resume ends Hold.
func (p *Baresip) Resume() { p.t.Helper(); p.command("resume", "") }

// Transfer sends the partner to a number of the office.
func (p *Baresip) Transfer(number string) { p.t.Helper(); p.command("transfer", number) }

// Mute stops the voice, or lets it sound again.
func (p *Baresip) Mute() { p.t.Helper(); p.command("mute", "") }

// lastWords is what is judged of a call that has ended: a second before the last 300 ms, in which it ended. On a busy
// machine the audio begins well after the telephone has said that it talks, so not all of it can be.
func lastWords(pcm []int16) []int16 { return tone.Tail(pcm, tone.Rate, tone.Rate*3/10) }

// Heard is the end of what the phone heard: a second before the last 300 ms. Baresip closes its dump a moment after it
// has said that the call is closed.
func (p *Baresip) Heard() []int16 {
	p.t.Helper()
	var pcm []int16
	for deadline := time.Now().Add(patience); len(pcm) < tone.Rate && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		pcm = p.dumped()
	}
	return pcm
}

// dumped is what stands in the dump now.
func (p *Baresip) dumped() []int16 {
	p.t.Helper()
	dumps, err := filepath.Glob(filepath.Join(p.dir, "dump-*-dec.wav"))
	if err != nil || len(dumps) == 0 {
		p.t.Fatalf("baresip wrote no dump of what it heard: %v", err)
	}
	body, err := os.ReadFile(dumps[len(dumps)-1]) // Glob sorts, and the names hold the time
	if err != nil {
		p.t.Fatal(err)
	}
	pcm, ok := tone.FromWAV(body)
	if !ok {
		return nil
	}
	return lastWords(pcm)
}

func (p *Baresip) end() {
	if p.ended {
		return
	}
	p.ended = true
	if p.conn != nil {
		_, _ = io.WriteString(p.conn, `18:{"command":"quit"},`)
	}
	if p.cmd != nil && p.cmd.Process != nil {
		killer := time.AfterFunc(3*time.Second, func() { _ = p.cmd.Process.Kill() })
		_ = p.cmd.Wait()
		killer.Stop()
	}
	if p.conn != nil {
		_ = p.conn.Close()
	}
	p.read.Wait()
	if p.t.Failed() {
		p.t.Logf("baresip said:\n%s", tidy(p.out.String()))
	}
	_ = os.RemoveAll(p.dir)
}

// tidy drops the line in which baresip counts seconds.
func tidy(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		if !strings.Contains(line, "(bit/s)") {
			b.WriteString(line)
		}
	}
	return b.String()
}
