package gsm_test

import (
	"testing"

	"github.com/pronto-pbx/pronto/drivers/gsm"
	"github.com/pronto-pbx/pronto/drivers/gsm/gsmsim"
	"github.com/pronto-pbx/pronto/firmware/line/linetest"
)

// families are the models that the emulator speaks as, beside the SIM7600 of the other tests.
var families = map[string]struct {
	model string
	sound bool
}{
	"SIMCom A7670":   {"A7670E-FASE", false},
	"SIMCom SIM800":  {"SIMCOM_SIM800L", false},
	"Quectel EG25":   {"EG25", true},
	"Huawei E173":    {"E173", true},
	"Telit LE910":    {"LE910C1-EU", false},
	"unknown 27.007": {"ACME-1", false},
}

func TestEveryFamilyKeepsTheContractOfALine(t *testing.T) {
	for name, f := range families {
		t.Run(name, func(t *testing.T) {
			linetest.Run(t, func(t *testing.T) linetest.Rig {
				m, far := rig(t, func(s *gsmsim.Config, _ *gsm.Config) { s.Model = f.model })
				return linetest.Rig{Line: m, Far: far}
			})
		})
	}
}
