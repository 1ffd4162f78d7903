package rtcpxr

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// session has the lines of a report at the end of a call as a desk phone sends it (RFC 6035 section
// 4.7.1 has the fields).
const session = "VQSessionReport: CallTerm\r\n" +
	"CallID: 6dg37f1890463\r\n" +
	"LocalID: \"Anna\" <sip:201@192.0.2.1>\r\n" +
	"RemoteID: <sip:+393331234567@192.0.2.1>\r\n" +
	"OrigID: <sip:201@192.0.2.1>\r\n" +
	"LocalAddr: IP=192.0.2.50 PORT=5000 SSRC=1a3b5c7d\r\n" +
	"RemoteAddr: IP=192.0.2.1 PORT=16384 SSRC=0x2468abcd\r\n" +
	"LocalMetrics:\r\n" +
	"Timestamps: START=2026-03-02T12:00:00Z STOP=2026-03-02T12:02:30Z\r\n" +
	"SessionDesc: PT=8 PD=PCMA SR=8000 FD=20 FO=20 FPP=1 PPS=50 PLC=3 SSUP=on\r\n" +
	"JitterBuffer: JBA=3 JBR=2 JBN=40 JBM=80 JBX=120\r\n" +
	"PacketLoss: NLR=5.0 JDR=2.0\r\n" +
	"BurstGapLoss: BLD=0 BD=0 GLD=2.0 GD=500 GMIN=16\r\n" +
	"Delay: RTD=200 ESD=140 SOWD=200 IAJ=2 MAJ=10\r\n" +
	"Signal: SL=-18 NL=-50 RERL=55\r\n" +
	"QualityEst: RLQ=82 RCQ=79 EXTRI=90 EXTRO=90 MOSLQ=4.1 MOSCQ=3.9 QoEEstAlg=\"P.564 or so\"\r\n" +
	"RemoteMetrics:\r\n" +
	"Timestamps: START=2026-03-02T12:00:00Z STOP=2026-03-02T12:02:30Z\r\n" +
	"PacketLoss: NLR=0.0 JDR=127\r\n" +
	"QualityEst: MOSLQ=4.4 MOSCQ=127\r\n" +
	"DialogID: 6dg37f1890463;to-tag=aaaa;from-tag=bbbb\r\n"

func ptr[T any](v T) *T { return &v }

func TestSessionReportIsRead(t *testing.T) {
	got, err := Parse([]byte(session))
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	want := Report{
		Kind: Session, CallID: "6dg37f1890463", LocalURI: "sip:201@192.0.2.1", RemoteURI: "sip:+393331234567@192.0.2.1",
		LocalAddr: "192.0.2.50:5000", RemoteAddr: "192.0.2.1:16384", HasRemote: true, DialogFrom: "bbbb", DialogTo: "aaaa",
		Local: Metrics{
			Start: start, Stop: start.Add(150 * time.Second), Codec: "PCMA", Loss: ptr(5.0), Discard: ptr(2.0),
			Jitter: ptr(2 * time.Millisecond), RoundTrip: ptr(200 * time.Millisecond), EndSystemDelay: ptr(140 * time.Millisecond),
			RFactorLQ: ptr(82.0), RFactorCQ: ptr(79.0), MOSLQ: ptr(4.1), MOSCQ: ptr(3.9), Signal: ptr(-18.0), Noise: ptr(-50.0),
		},
		// 127 is how a phone says that it does not know.
		Remote: Metrics{Start: start, Stop: start.Add(150 * time.Second), Loss: ptr(0.0), MOSLQ: ptr(4.4)},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestReportIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		want error
	}{
		"empty":              {"", ErrSyntax},
		"something else":     {"v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\n", ErrSyntax},
		"another report":     {"VQOtherReport: x\r\nCallID: 1\r\n", ErrSyntax},
		"no call":            {"VQSessionReport: CallTerm\r\nLocalID: <sip:201@x>\r\n", ErrSyntax},
		"too long":           {session + strings.Repeat("x", MaxSize), ErrSize},
		"too many lines":     {"VQAlertReport: Type=NLR\r\nCallID: 1\r\n" + strings.Repeat("A:\n", 250), ErrSize},
		"a line of nonsense": {"VQSessionReport\r\nCallID 1\r\n", ErrSyntax},
	} {
		if _, err := Parse([]byte(c.body)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestNumbersWithoutSenseAreLeftOut(t *testing.T) {
	r, err := Parse([]byte("VQIntervalReport:\nCallID: 1\nLocalMetrics:\nPacketLoss: NLR=NaN JDR=-1\nDelay: RTD=1e300 IAJ=x junk ESD=7\nQualityEst: MOSLQ=50 MOSCQ=\n"))
	if err != nil {
		t.Fatal(err)
	}
	if want := (Metrics{EndSystemDelay: ptr(7 * time.Millisecond)}); !reflect.DeepEqual(r.Local, want) || r.Kind != Interval {
		t.Errorf("%+v", r)
	}
}

// A phone may send anything: no panic, and what comes out is bounded and clean.
func FuzzParse(f *testing.F) {
	f.Add([]byte(session))
	f.Add([]byte("VQAlertReport: Type=RLQ Severity=Critical Dir=local\r\nCallID: \"\"\x00\r\nLocalMetrics:\r\nDelay: =\"=\r\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := Parse(body)
		if err != nil {
			return
		}
		if r.CallID == "" || r.Kind == "" {
			t.Errorf("accepted without a call: %+v", r)
		}
		for _, s := range []string{r.CallID, r.LocalURI, r.RemoteURI, r.LocalAddr, r.RemoteAddr, r.Local.Codec, r.DialogFrom} {
			if len(s) > maxText || !utf8.ValidString(s) || strings.ContainsAny(s, "\r\n\x00") {
				t.Errorf("text %q", s)
			}
		}
		if m := r.Local.MOSLQ; m != nil && (*m < 1 || *m > 5) {
			t.Errorf("MOS %v", *m)
		}
		if d := r.Local.Jitter; d != nil && (*d < 0 || *d > time.Minute) {
			t.Errorf("jitter %v", *d)
		}
	})
}
