package web

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/ui/settings"
)

func TestAnAnalogLineIsAddedAndEdited(t *testing.T) {
	s := office(t)
	if status, to := s.post("/lines/new/analog?lang=en", url.Values{"name": {"Linea fissa"}, "socket": {"1.4"}, "out": {"on"}}); status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, to)
	}
	s.post("/changes/apply", nil)
	lines := s.settings.Port().Current().Lines
	x := lines[len(lines)-1]
	if x.ID != "linea-fissa" || x.Type != config.LineAnalog || x.AT != "usb:1.4" || x.Analog.Country != config.CountryItaly {
		t.Errorf("%+v", x)
	}
	if _, body := s.get("/lines?lang=en"); !strings.Contains(body, `href="/lines/analog/linea-fissa?lang=en"`) {
		t.Error("its card leads nowhere")
	}
	at := "/lines/analog/linea-fissa"
	if status, body := s.get(at + "?lang=it"); status != http.StatusOK || strings.Contains(body, "⟦") || strings.Contains(body, "PIN") {
		t.Errorf("the form: %d, or it asks for a PIN", status)
	}
	form := url.Values{"name": {"Linea fissa"}, "in": {x.In}, "country": {"etsi"}, "chip": {"CX93001"}, "polarity": {"on"}, "recall": {"dial"}, "agc": {"on"}, "silence": {"5"}}
	if status, body := s.post(at, form); status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, body)
	}
	s.post("/changes/apply", nil)
	lines = s.settings.Port().Current().Lines
	if got := lines[len(lines)-1].Analog; got != (config.Analog{Chip: "CX93001", Country: "etsi", Polarity: true, AGC: true, Recall: config.RecallDial, Silence: 5 * time.Minute}) {
		t.Errorf("%+v", got)
	}
	form.Set("silence", "500")
	if status, _ := s.post(at, form); status != http.StatusUnprocessableEntity {
		t.Errorf("500 minutes of silence: %d", status)
	}
}

func TestAGatewaysSettingsAreATextToKeep(t *testing.T) {
	s := office(t)
	form := url.Values{"name": {"Gateway"}, "server": {"192.168.1.20"}, "match": {"192.168.1.20"}, "number": {"+390551234567"}}
	if status, body := s.post("/lines/new/carrier/gateway-grandstream-ht813?lang=en", form); status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, body)
	}
	if _, body := s.get("/lines?lang=en"); !strings.Contains(body, `href="/lines/gateway/gateway?lang=en"`) {
		t.Error("the card does not lead to them")
	}
	if status, body := s.get("/lines/gateway/gateway?lang=en"); status != http.StatusConflict || !strings.Contains(body, "at which address") {
		t.Errorf("asked for over the loopback: %d", status)
	}
	s.post("/changes/apply", nil)
	_, _, err := s.settings.Port().Apply(t.Context(), func(c *config.Config) { c.SIP.Listen = netip.MustParseAddrPort("192.168.1.10:5060") }, settings.By{User: "anna"}, "")
	if err != nil {
		t.Fatal(err)
	}
	status, body := s.get("/lines/gateway/gateway?lang=en")
	if status != http.StatusOK || !strings.Contains(body, "f1=425@-32,f2=425@-32,c=500/500;") || !strings.Contains(body, "0551234567") || !strings.Contains(body, "192.168.1.10") {
		t.Errorf("%d %s", status, body)
	}
	if status, _ := s.get("/lines/gateway/none"); status != http.StatusNotFound {
		t.Errorf("no such gateway: %d", status)
	}
}

func TestAGatewaysFileIsServedForItsModels(t *testing.T) {
	s := office(t)
	form := url.Values{"name": {"Gateway"}, "server": {"192.168.1.20"}, "match": {"192.168.1.20"}, "number": {"+390551234567"}}
	if status, body := s.post("/lines/new/carrier/gateway-grandstream-gxw41xx?lang=en", form); status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, body)
	}
	s.post("/changes/apply", nil)
	_, _, err := s.settings.Port().Apply(t.Context(), func(c *config.Config) { c.SIP.Listen = netip.MustParseAddrPort("192.168.1.10:5060") }, settings.By{User: "anna"}, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, body := s.get("/lines?lang=it"); !strings.Contains(body, "File di configurazione per il GXW4108") || strings.Contains(body, "⟦") {
		t.Error("the card does not lead to the file")
	}
	if status, body := s.get("/lines/gateway/gateway?file=GXW4108"); status != http.StatusOK || !strings.Contains(body, "<P3607>ch1-8:0551234567;</P3607>") {
		t.Errorf("%d %s", status, body)
	}
	if status, _ := s.get("/lines/gateway/gateway?file=HT813"); status != http.StatusNotFound {
		t.Errorf("a file of a gateway that this is not: %d", status)
	}
}
