package pbxtest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
)

// SIPp is a real program in the role of the carrier: it calls the office, says a tone, hears, and
// hangs up.
type SIPp struct {
	t    testing.TB
	name string // of the scenario
	dir  string
	cmd  *exec.Cmd
	out  bytes.Buffer
	Ears *Capture // what reaches the carrier

	ended  chan struct{} // closed at the end of the program
	result error         // of the program; read after ended
}

// carrierCalls is the scenario; %s are called number, caller, what is sent as audio and the pause in ms.
// SIPp's own words stand in square brackets. Its keys have the payload type 96.
const carrierCalls = `<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="carrier calls">
<send retrans="500"><![CDATA[
INVITE sip:%[1]s@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: "Customer" <sip:%[2]s@carrier.example>;tag=[call_number]
To: <sip:%[1]s@carrier.example>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:carrier@[local_ip]:[local_port]>
Max-Forwards: 70
User-Agent: SIPp
Content-Type: application/sdp
Content-Length: [len]

v=0
o=carrier 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [%[5]s] RTP/AVP 8 96
a=rtpmap:8 PCMA/8000
a=rtpmap:96 telephone-event/8000
a=fmtp:96 0-15
a=sendrecv

]]></send>
<recv response="100" optional="true"/>
<recv response="180" optional="true"/>
<recv response="183" optional="true"/>
<recv response="200" rrs="true"/>
<send><![CDATA[
ACK [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[last_From:]
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
%[3]s
<pause milliseconds="%[4]d"/>
<send retrans="500"><![CDATA[
BYE [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[last_From:]
[last_To:]
Call-ID: [call_id]
CSeq: 2 BYE
Max-Forwards: 70
Content-Length: 0

]]></send>
<recv response="200"/>
</scenario>
`

// SIPp calls DID as the carrier, and hangs up so long after the box has answered.
func (o *Office) SIPp(caller string, hz int, after time.Duration) *SIPp {
	o.t.Helper()
	return o.sipp(caller, "rtpstream_audio_port", func(tone string) string {
		return fmt.Sprintf(`<nop><action><exec rtp_stream="%s,-1,8"/></action></nop>`, tone)
	}, hz, after)
}

// SIPpKeys calls DID as the carrier and presses keys (RFC 4733) one second after the answer; it says
// nothing, and hangs up so long after the keys.
func (o *Office) SIPpKeys(caller, keys string, after time.Duration) *SIPp {
	o.t.Helper()
	return o.sipp(caller, "media_port", func(string) string {
		return fmt.Sprintf(`<pause milliseconds="1000"/><nop><action><exec play_dtmf="%s" /></action></nop>`, keys)
	}, 0, after)
}

func (o *Office) sipp(caller, port string, audio func(tone string) string, hz int, after time.Duration) *SIPp {
	o.t.Helper()
	program := Tool(o.t, "sipp", "sip-tester")
	s := &SIPp{t: o.t, name: "carrier", Ears: o.Capture(o.Carrier)}
	var err error
	if s.dir, err = os.MkdirTemp("", "sipp"); err != nil {
		o.t.Fatal(err)
	}
	voice := filepath.Join(s.dir, "tone.alaw")
	files := map[string][]byte{
		// A whole number of periods, so that the tone goes on when the file begins again.
		voice:                                tone.NewCoder(tone.ALaw).Encode(nil, tone.Sine(hz, tone.Rate)),
		filepath.Join(s.dir, "scenario.xml"): fmt.Appendf(nil, carrierCalls, DID, caller, audio(voice), after.Milliseconds(), port),
	}
	for path, body := range files {
		if err := os.WriteFile(path, body, 0o600); err != nil {
			o.t.Fatal(err)
		}
	}
	s.start(program, o.SIP.String(), "-sf", "scenario.xml", "-m", "1", "-i", o.Carrier.String(), "-mi", o.Carrier.String(),
		"-p", fmt.Sprint(o.CarrierPort), "-aa", "-timeout", "30s", "-timeout_error", "-nostdin", "-trace_err")
	return s
}

// start runs the program until Wait or the end of the test.
func (s *SIPp) start(program string, args ...string) {
	s.t.Helper()
	s.cmd = exec.Command(program, args...)
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = s.dir, &s.out, &s.out
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	s.ended = make(chan struct{})
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		s.result = s.cmd.Wait()
		close(s.ended)
	}()
	s.t.Cleanup(func() {
		_ = s.cmd.Process.Kill() // has ended, if Wait was called
		<-s.ended
		if s.t.Failed() {
			s.t.Logf("SIPp %s said:\n%s", s.name, s.said())
		}
		_ = os.RemoveAll(s.dir)
	})
}

// over reports whether SIPp has ended.
func (s *SIPp) over() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// Wait waits for the end of the scenario and fails the test when SIPp saw something else than it
// expects.
func (s *SIPp) Wait() {
	s.t.Helper()
	<-s.ended
	if s.result != nil {
		s.t.Errorf("SIPp %s: %v", s.name, s.result)
	}
}

// said is the end of SIPp's screens, and its error log.
func (s *SIPp) said() string {
	var b strings.Builder
	logs, _ := filepath.Glob(filepath.Join(s.dir, "*errors.log"))
	for _, path := range logs {
		text, _ := os.ReadFile(path)
		b.Write(text)
	}
	screens := s.out.String()
	return b.String() + screens[max(0, len(screens)-4000):]
}
