package main_test

import (
	"bytes"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
)

// A customer is served and hangs up. The supervisor finds the call on the page by the number, reads its whole way,
// and takes it away as a table; who keeps the box sees its SIP messages, on the console and as a capture.
func TestASupervisorFindsACallAndReadsItsWholeWay(t *testing.T) {
	t.Parallel()
	f := floorOf(t, pbxtest.Setup{})
	f.sara = f.SignIn("agent203")
	over(t, f.customer, f.at)
	r := f.recordOf(1)
	f.WaitRecords(1)

	story := "/calls/" + url.PathEscape(string(r.Call)) + "?at=" + url.QueryEscape(r.Started.UTC().Format(time.RFC3339Nano)) + "&lang=en"
	f.sara.Shows("/calls?lang=en&number="+url.QueryEscape(mobileNumber)+"&person=agent201&result=answered", `href="/calls/`+url.PathEscape(string(r.Call))+"?", "answered")
	if _, page := f.sara.Get("/calls?lang=en&number=0699999999"); strings.Contains(page, string(r.Call)) {
		t.Error("the call of another number is found")
	}
	f.sara.Shows(story, "Came in over Carrier", "In queue: Sales", "Rings at Agent 201", "Agent 201 answers", "End: ended normally")
	if _, table := f.sara.Get("/calls.csv?sep=semicolon&lang=it"); strings.Count(table, "\n") != 2 || !strings.Contains(table, "'"+mobileNumber+";") {
		t.Errorf("the table: %s", table)
	}
	drawn := ctl(t, f.Office, "trace", string(r.Call))
	for _, want := range []string{"──> box  INVITE (SDP)", "<── box  INVITE (SDP)", "<── box  200 OK (SDP)", "──> box  BYE"} {
		if !strings.Contains(drawn, want) {
			t.Errorf("the ladder has no %q:\n%s", want, drawn)
		}
	}
	file := filepath.Join(t.TempDir(), "call.pcapng")
	ctl(t, f.Office, "trace", "-w", file, string(r.Call))
	if b, err := os.ReadFile(file); err != nil || !bytes.HasPrefix(b, []byte{0x0a, 0x0d, 0x0d, 0x0a}) || !bytes.Contains(b, []byte("INVITE sip:")) {
		t.Errorf("the capture: %d bytes, %v", len(b), err)
	}
	if _, err := console(f.Office, "trace", "of-no-call"); err == nil {
		t.Error("a call that never was has a ladder")
	}
}
