package gsm

import (
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/line"
)

func TestWhatTheModemSaysOfItsNetwork(t *testing.T) {
	tests := map[string]struct {
		lines []string
		want  line.Signal
	}{
		"SIMCom on LTE": {
			[]string{`+COPS: 0,0,"TIM",7`, "+CPSI: LTE,Online,222-01,0x1A2B,123456789,297,EUTRAN-BAND3,1350,5,5,-94,-850,-545,15", "+CIREG: 2,1,1", "+CSQ: 20,99", "+CREG: 2,1"},
			line.Signal{Operator: "TIM", Network: "22201", Technology: line.LTE, Band: "EUTRAN-BAND3", DBm: -73, VoLTE: line.Ready},
		},
		"SIMCom on GSM":                {[]string{"+CPSI: GSM,Online,222-10,0x182d,12401,27 EGSM 900,-64,2110,42-42"}, line.Signal{Network: "22210", Technology: line.GSM, Band: "EGSM 900"}},
		"SIMCom on UMTS":               {[]string{"+CPSI: WCDMA,Online,222-88,0xED2E,WCDMA IMT 2000,0x17cd6a5,10713"}, line.Signal{Network: "22288", Technology: line.UMTS, Band: "WCDMA IMT 2000"}},
		"SIMCom without service":       {[]string{"+CPSI: NO SERVICE,Online"}, line.Signal{}},
		"SIMCom moves to UMTS":         {[]string{"+CNSMOD: 1,8", "+CNSMOD: 4"}, line.Signal{Technology: line.UMTS}},
		"Quectel on LTE":               {[]string{`+QNWINFO: "FDD LTE","22288","LTE BAND 20",6300`}, line.Signal{Network: "22288", Technology: line.LTE, Band: "LTE BAND 20"}},
		"any modem by +COPS":           {[]string{`+COPS: 0,0,"WINDTRE",2`}, line.Signal{Operator: "WINDTRE", Technology: line.UMTS}},
		"LTE without calls over it":    {[]string{"+CNSMOD: 8", "+CIREG: 2,0"}, line.Signal{Technology: line.LTE, VoLTE: line.NotReady}},
		"LTE for messages alone":       {[]string{"+CNSMOD: 8", "+CIREG: 2,1,4"}, line.Signal{Technology: line.LTE, VoLTE: line.NotReady}},
		"unsolicited":                  {[]string{"+CNSMOD: 8", "+CIREG: 1"}, line.Signal{Technology: line.LTE, VoLTE: line.Ready}},
		"VoLTE is a matter of LTE":     {[]string{"+CNSMOD: 1", "+CIREG: 2,0"}, line.Signal{Technology: line.GSM}},
		"roaming":                      {[]string{"+CREG: 2,5"}, line.Signal{Roaming: true}},
		"half lines are no knowledge":  {[]string{"+CPSI:", "+CIREG:", "+QNWINFO:", "+CNSMOD:", "+COPS:"}, line.Signal{}},
		"a mode that nobody knows yet": {[]string{"+CNSMOD: 8", "+CNSMOD: 99"}, line.Signal{Technology: line.LTE}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			n := network{cs: -1, eps: -1}
			n.learn(tt.lines)
			if got := n.signal(); got != tt.want {
				t.Errorf("learnt %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestTheHistoryHasADayAndNoMore(t *testing.T) {
	var r radio
	start := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
	for i := range 3 * 1440 {
		r.note(line.Signal{DBm: -70 - i%30, Technology: line.LTE}, start.Add(time.Duration(i)*30*time.Second))
	}
	end := start.Add(3*1440*30*time.Second - 30*time.Second)
	if n := len(r.samples); n != 1440 || end.Sub(r.samples[0].At) > 24*time.Hour || r.samples[0].Technology != line.LTE {
		t.Errorf("%d samples since %v, until %v", n, r.samples[0].At, end)
	}
	r.note(line.Signal{}, end.Add(time.Hour)) // no word about the signal is no sample
	if len(r.samples) != 1440 {
		t.Errorf("%d samples", len(r.samples))
	}
	r.note(line.Signal{DBm: -60}, end.Add(-48*time.Hour)) // the clock was set back
	if len(r.samples) > 1441 {
		t.Errorf("%d samples", len(r.samples))
	}
	r.lost()
	if r.now != (line.Signal{}) || len(r.samples) == 0 {
		t.Error("the history went with the modem")
	}
}
