package gsmsim_test

import (
	"testing"

	"github.com/pronto-pbx/pronto/drivers/gsm/gsmsim"
)

// What programs ask that were not written for our driver: the dialogue is that of ModemManager.
func TestProgramsThatHaveNeverHeardOfUsGetTheirAnswers(t *testing.T) {
	_, x := connect(t, gsmsim.Config{})
	x.says("ATE0", "OK\r\n")
	for _, c := range []struct{ name, cmd, want string }{
		{"the form of answers is set", "ATV1", "\r\nOK\r\n"},
		{"a GSM modem says that it is one", "AT+GCAP", "\r\n+GCAP: +CGSM\r\n\r\nOK\r\n"},
		{"the SIM has a subscriber", "AT+CIMI", "\r\n222011234567890\r\n\r\nOK\r\n"},
		{"without a PIN the SIM is not locked", `AT+CLCK="SC",2`, "\r\n+CLCK: 0\r\n\r\nOK\r\n"},
		{"service messages are wanted", "AT+CUSD=1", "\r\nOK\r\n"},
		{"commands in a row have one final answer", `AT+COPS=3,2;+COPS?`, "\r\n+COPS: 0,2,\"22201\",7\r\n\r\nOK\r\n"},
		{"the operator's name comes back", `AT+COPS=3,0;+COPS?`, "\r\n+COPS: 0,0,\"Carrier, simulated\",7\r\n\r\nOK\r\n"},
		{"a row ends at its first error", `AT+NONSENSE=1;+COPS?`, "\r\nERROR\r\n"},
		{"a semicolon in quotation marks is text", `AT+CSCS="a;b"`, "\r\nOK\r\n"},
		{"SIMCom tells the technology beside the setting", "AT+CNSMOD?", "\r\n+CNSMOD: 0,8\r\n\r\nOK\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := x.says(c.cmd, c.want); got != c.want {
				t.Errorf("heard %q before it", got[:len(got)-len(c.want)])
			}
		})
	}
}
