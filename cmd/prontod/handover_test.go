package main_test

import (
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
)

// After a test call the installer makes the report: each fact of the office is in the file, as another program reads it.
func TestTheHandoverReportTellsTheTestCallThePhonesTheLinesAndWhatIsOpen(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 2, LoggedIn: 1, Carrier: 5072})
	anna, carrier := deskAt(t, o, 201, hzAgent), carrierOf(t, o, hzCarrier)
	c := carrier.customer(mobileNumber)
	in := anna.picksUp()
	answered(t, "the test call", c)
	hearsTone(t, "the agent", in, hzCarrier)
	hearsTone(t, "the customer", c, hzAgent)
	c.Hangup()
	o.CallRecords(1)
	owner := o.Claim()
	owner.Shows("/handover?lang=it", "Ultime chiamate esterne", strings.TrimPrefix(mobileNumber, "+"), "trunk:carrier")
	status, file := owner.Get("/handover.pdf?lang=it")
	if status != http.StatusOK {
		t.Fatalf("%d %.200s", status, file)
	}
	cmd := exec.Command("pdftotext", "-layout", "-", "-")
	cmd.Stdin = strings.NewReader(file)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("pdftotext (poppler-utils): %v", err)
	}
	text := strings.Join(strings.Fields(string(out)), " ")
	for name, want := range map[string]string{
		"the number outside": pbxtest.DID, "the queue": "400", "a person": "202", "the caller of the test call": mobileNumber, "its line": "trunk:carrier", "the codec": "PCMA",
		"the lamp": "sim", "a phone that is there": "presente", "a phone that is not": "assente", "what is open": "Da completare", "the network": "Router",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s: no %q in\n%s", name, want, text)
		}
	}
}
