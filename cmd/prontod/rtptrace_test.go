package main_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
)

// permitting is a legal basis under which RTP may be kept in traces.
const permitting = `
supervision:
  legal_basis: {kind: union_agreement, reference: "7/2026", date: "2026-01-31", purposes: [troubleshooting]}
`

// tshark reads a capture as a stranger does. It ends the test where the program is missing.
func tshark(t *testing.T, file string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("tshark")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("not judged: ", err)
	}
	cmd := exec.Command(path, append([]string{"-r", file}, args...)...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark %v: %v\n%s", args, err, errs.String())
	}
	return string(out)
}

// rtpOf are the payloads of the sound that goes to or comes from a port, in the order of the capture. They are found
// also where no SDP says that they are RTP, because a kill has lost it.
func rtpOf(t *testing.T, file, way string, port uint16) (pcm []int16) {
	t.Helper()
	for line := range strings.Lines(tshark(t, file, "--enable-heuristic", "rtp_udp", "-Y", fmt.Sprintf("rtp && %s == %d && rtp.p_type < 96", way, port), "-T", "fields", "-e", "rtp.p_type", "-e", "rtp.payload")) {
		pt, text, _ := strings.Cut(strings.TrimSpace(line), "\t")
		payload, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
		if err != nil || len(payload) == 0 {
			t.Fatalf("%q: %v", line, err)
		}
		id := map[string]codec.ID{"0": codec.PCMU, "8": codec.PCMA}[pt]
		frame := make([]int16, len(payload))
		codec.NewDecoder(id).Decode(frame, payload)
		pcm = append(pcm, frame...)
	}
	return pcm
}

func bytesOf(pcm []int16) (b []byte) {
	for _, s := range pcm {
		b = binary.LittleEndian.AppendUint16(b, uint16(s))
	}
	return b
}

// RTP is kept only while the owner permits it, and then a stranger's program finds every stream of the call, whole and
// with the right sound, beside its SIP messages. Keys are not told. A kill ends nothing and extends nothing.
func TestTheOwnerPermitsRTPInATraceAndTsharkHearsTheCall(t *testing.T) {
	t.Parallel()
	f := floorOf(t, pbxtest.Setup{Extra: permitting})
	owner := f.Claim()
	now, err := f.Now()
	if err != nil || len(now.Calls) != 1 {
		t.Fatal(err, now.Calls)
	}
	call := string(now.Calls[0].Call)
	file := filepath.Join(t.TempDir(), "call.pcapng")
	take := func() string {
		ctl(t, f.Office, "trace", "-rtp", "-w", file, call)
		return file
	}
	refused := func(when string) {
		t.Helper()
		if out, err := console(f.Office, "trace", "-rtp", "-w", file, call); err == nil || !strings.Contains(out, "no RTP") {
			t.Errorf("%s: %v %s", when, err, out)
		}
		if status, _ := owner.Get("/calls/" + url.PathEscape(call) + "/rtp.pcapng"); status != http.StatusNotFound {
			t.Errorf("%s: %d", when, status)
		}
	}
	refused("nothing is permitted")
	owner.Does("/traces", url.Values{"of": {"phone:201"}, "span": {"15"}, "why": {"una prova"}})
	n := f.Until("the permission to be seen", func(n pbxtest.Now) bool { return n.RTPTrace.On })
	if rest := time.Until(n.RTPTrace.Until); n.RTPTrace.Of != "phone:201" || rest < 14*time.Minute || rest > 15*time.Minute {
		t.Errorf("%+v", n.RTPTrace)
	}
	if out := ctl(t, f.Office, "status"); !strings.Contains(out, "trace keeps the RTP of 201") || !strings.Contains(out, "permitted by owner") {
		t.Errorf("status: %s", out)
	}
	owner.Shows("/?lang=en", "is kept in memory until", "owner has permitted it", "/traces/stop")

	talking(t, "while RTP is kept", f.customer, hzCarrier, f.at, hzAgent)
	agentHeard, customerHeard := f.at.Audio().Heard(), f.customer.Audio().Heard()
	take()
	agent, customer := f.at.Audio().Local().Port(), f.customer.Audio().Local().Port()
	for _, x := range []struct {
		who, way string
		port     uint16
		hz       int
		heard    []int16
	}{
		{"what the agent heard", "udp.dstport", agent, hzCarrier, agentHeard},
		{"what the customer heard", "udp.dstport", customer, hzAgent, customerHeard},
		{"what the agent said", "udp.srcport", agent, hzAgent, nil},
		{"what the customer said", "udp.srcport", customer, hzCarrier, nil},
	} {
		pcm := rtpOf(t, file, x.way, x.port)
		if err := tone.Heard(pcm, x.hz, tone.Others(tones, x.hz)...); err != nil {
			t.Errorf("%s: %d samples: %v", x.who, len(pcm), err)
		}
		if x.heard != nil && (len(x.heard) < 160 || !bytes.Contains(bytesOf(pcm), bytesOf(x.heard[:len(x.heard)/160*160]))) {
			t.Errorf("%s: %d samples that it heard are not in the capture's %d", x.who, len(x.heard), len(pcm))
		}
	}
	streams(t, file, agent, customer)
	if sip := tshark(t, file, "-Y", "sip.Method == INVITE"); strings.Count(sip, "\n") < 2 {
		t.Errorf("its INVITEs: %s", sip)
	}
	last := 0.0
	for line := range strings.Lines(tshark(t, file, "-T", "fields", "-e", "frame.time_epoch")) {
		at, err := strconv.ParseFloat(strings.TrimSpace(line), 64)
		if err != nil || at < last {
			t.Fatalf("%q after %f: %v", line, last, err)
		}
		last = at
	}

	f.at.Audio().Press("4929")
	f.Until("the keys to be pressed", func(pbxtest.Now) bool { return f.customer.Audio().Keys() == "4929" })
	take()
	var codes []string
	for line := range strings.Lines(tshark(t, file, "-Y", "rtpevent", "-T", "fields", "-e", "rtpevent.event_id")) {
		codes = append(codes, strings.TrimSpace(line))
	}
	if slices.Sort(codes); len(codes) < 16 || codes[0] != "255" || codes[len(codes)-1] != "255" {
		t.Errorf("the events tell %v", slices.Compact(codes))
	}

	f.Kill()
	after := f.Until("the permission to be back", func(n pbxtest.Now) bool { return n.RTPTrace.On })
	if d := after.RTPTrace.Until.Sub(n.RTPTrace.Until).Abs(); d > 3*time.Second {
		t.Errorf("a kill moves its end by %v", d)
	}
	talking(t, "after a kill", f.customer, hzCarrier, f.at, hzAgent)
	take()
	if err := tone.Heard(rtpOf(t, file, "udp.dstport", agent), hzCarrier, tone.Others(tones, hzCarrier)...); err != nil {
		t.Errorf("after a kill: %v", err)
	}

	owner.Does("/traces/stop", nil)
	f.Until("the end to be seen", func(n pbxtest.Now) bool { return !n.RTPTrace.On })
	before := len(rtpOf(t, take(), "udp.dstport", agent))
	talking(t, "after its end", f.customer, hzCarrier, f.at, hzAgent)
	if n := len(rtpOf(t, take(), "udp.dstport", agent)); n != before {
		t.Errorf("%d samples were kept after the end", n-before)
	}
	owner.Does("/traces/delete", nil)
	refused("it is deleted")
	_, page := owner.Get("/security?lang=en")
	for _, want := range []string{"permitted RTP in traces", "una prova", "downloaded a trace with sound", "stopped RTP in traces", "deleted the traces with sound"} {
		if !strings.Contains(page, want) {
			t.Errorf("the audit log lacks %q", want)
		}
	}
}

// streams has tshark list the RTP streams: one each way of both parties, nothing lost.
func streams(t *testing.T, file string, agent, customer uint16) {
	t.Helper()
	out := tshark(t, file, "-q", "-z", "rtp,streams")
	found := 0
	for line := range strings.Lines(out) {
		if !strings.Contains(line, "g711") {
			continue
		}
		for _, port := range []uint16{agent, customer} {
			if strings.Contains(line, fmt.Sprintf(" %d ", port)) {
				found++
			}
		}
		if !strings.Contains(line, "0 (0.0%)") {
			t.Errorf("packets are missing: %s", line)
		}
	}
	if found != 4 {
		t.Errorf("%d streams of 4:\n%s", found, out)
	}
}

// Without a legal basis that includes troubleshooting nobody can have RTP kept, whoever asks.
func TestWithoutALegalBasisForItNoRTPIsKept(t *testing.T) {
	t.Parallel()
	f := floorOf(t, pbxtest.Setup{Extra: agreed})
	owner := f.Claim()
	if status, page := owner.Post("/traces?lang=en", url.Values{"of": {"phone:201"}, "span": {"15"}, "why": {"una prova"}}); status != http.StatusConflict || !strings.Contains(page, "traces.basis") {
		t.Errorf("%d %s", status, page)
	}
	talking(t, "without a permission", f.customer, hzCarrier, f.at, hzAgent)
	n, err := f.Now()
	if err != nil || n.RTPTrace.On {
		t.Fatal(err, n.RTPTrace)
	}
	if out, err := console(f.Office, "trace", "-rtp", "-w", filepath.Join(t.TempDir(), "x"), string(n.Calls[0].Call)); err == nil || !strings.Contains(out, "no RTP") {
		t.Errorf("%v %s", err, out)
	}
}
