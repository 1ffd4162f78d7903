package config

import (
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/credit"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// SIM says how the prepaid SIM of a line is watched. Applied at once.
type SIM struct {
	Operator string    `yaml:"operator"` // tim, vodafone, windtre, iliad, ho, kena, postemobile, fastweb; none for a contract; default by the network
	Ask      string    `yaml:"ask"`      // service code that tells the credit, asked once a day when the line is free; default the operator's; "no" = never
	Below    tel.Money `yaml:"below"`    // euros of credit below which somebody is told; default 5, up to 1000
	Days     int       `yaml:"days"`     // before the SIM or its credit ends, somebody is told; default 14, up to 365
}

// NoOperator is the Operator of a SIM with a contract, and NoQuestion the Ask of one that is not asked.
const (
	NoOperator = "none"
	NoQuestion = "no"
)

func (c *Config) normaliseSIMs() {
	for i := range c.Lines {
		s := &c.Lines[i].SIM
		if s.Below == 0 {
			s.Below = 5 * tel.Euro
		}
		if s.Days == 0 {
			s.Days = 14
		}
	}
}

// sim checks how a SIM is watched.
func (v *validator) sim(path string, s *SIM) {
	all, err := credit.Operators()
	if err != nil {
		v.found.add(path+".operator", "table", "cannot be checked: %v", err)
	}
	if _, known := credit.Find(all, s.Operator, ""); s.Operator != "" && s.Operator != NoOperator && !known {
		v.found.add(path+".operator", "choice", "%q is no operator that is known; use none, or leave it out", s.Operator)
	}
	if s.Ask != "" && s.Ask != NoQuestion && (len(s.Ask) > 20 || strings.Trim(s.Ask, "0123456789*#") != "") {
		v.found.add(path+".ask", "code", "%q is no service code such as *123#; \"no\" asks never", s.Ask)
	}
	if s.Below < 0 || s.Below > 1000*tel.Euro {
		v.found.add(path+".below", "range", "%s is not between 0 and 1000 euros", s.Below)
	}
	v.duration(path+".days", time.Duration(s.Days)*24*time.Hour, 24*time.Hour, 365*24*time.Hour)
}
