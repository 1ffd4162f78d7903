// Package rtcpxr reads what a phone says of the quality of a call: the body of a PUBLISH of event
// package vq-rtcpxr (RFC 6035). It is pure.
package rtcpxr

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// MediaType is that of the report.
const MediaType = "application/vq-rtcpxr"

// MaxSize is the longest report read, in bytes; phones send about 1,200.
const MaxSize = 8192

const (
	maxLines = 200
	maxText  = 256 // of one value that is kept
)

// Errors of Parse.
var (
	ErrSize   = errors.New("the report is too long")
	ErrSyntax = errors.New("not a voice quality report")
)

// Kind says when the report was made (RFC 6035 section 4.6).
type Kind string

// The kinds.
const (
	Session  Kind = "session"  // at the end of the call
	Interval Kind = "interval" // during it
	Alert    Kind = "alert"    // a threshold was crossed
)

// Metrics are what one end measured of the audio that it received. A pointer is nil where the
// report says nothing.
type Metrics struct {
	Start, Stop    time.Time
	Codec          string         // PD of SessionDesc, e.g. PCMA
	Loss           *float64       // network packet loss rate, percent
	Discard        *float64       // packets that came too late or early, percent
	Jitter         *time.Duration // interarrival jitter
	RoundTrip      *time.Duration
	EndSystemDelay *time.Duration
	RFactorLQ      *float64 // 0 to 120
	RFactorCQ      *float64
	MOSLQ          *float64 // 1.0 to 5.0, listening quality
	MOSCQ          *float64 // conversational quality
	Signal         *float64 // dBm0
	Noise          *float64 // dBm0
}

// Report is one voice quality report.
type Report struct {
	Kind                 Kind
	CallID               string // of the call's SIP dialog
	LocalURI, RemoteURI  string
	LocalAddr            string // "IP:port" as reported
	RemoteAddr           string
	Local                Metrics
	Remote               Metrics // what the other end told the phone
	HasRemote            bool
	DialogFrom, DialogTo string // tags of DialogID, where given
}

// Parse reads a report. It fails with ErrSize, or with ErrSyntax where the report does not name its
// call or is none at all; a number that makes no sense is left out, because half a report is worth
// more than none.
func Parse(body []byte) (Report, error) {
	var r Report
	if len(body) > MaxSize {
		return r, fmt.Errorf("%w: %d bytes", ErrSize, len(body))
	}
	into := (*Metrics)(nil)
	n := 0
	for line := range strings.Lines(string(body)) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if n++; n > maxLines {
			return r, fmt.Errorf("%w: more than %d lines", ErrSize, maxLines)
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return r, fmt.Errorf("%w: line %d has no colon", ErrSyntax, n)
		}
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		if n == 1 {
			if r.Kind = kindOf(name); r.Kind == "" {
				return r, fmt.Errorf("%w: it begins with no known report", ErrSyntax)
			}
			continue
		}
		switch name {
		case "localmetrics":
			into = &r.Local
		case "remotemetrics":
			into, r.HasRemote = &r.Remote, true
		default:
			r.head(name, value)
			if into != nil {
				into.line(name, value)
			}
		}
	}
	if r.CallID == "" {
		return r, fmt.Errorf("%w: no CallID", ErrSyntax)
	}
	return r, nil
}

func kindOf(first string) Kind {
	switch first {
	case "vqsessionreport":
		return Session
	case "vqintervalreport":
		return Interval
	case "vqalertreport":
		return Alert
	}
	return ""
}

// head reads the lines that name the call.
func (r *Report) head(name, value string) {
	switch name {
	case "callid":
		r.CallID = clean(value)
	case "localid":
		r.LocalURI = uriOf(value)
	case "remoteid":
		r.RemoteURI = uriOf(value)
	case "localaddr":
		r.LocalAddr = address(value)
	case "remoteaddr":
		r.RemoteAddr = address(value)
	case "dialogid":
		for p := range strings.SplitSeq(value, ";") {
			k, v, _ := strings.Cut(strings.TrimSpace(p), "=")
			switch strings.ToLower(k) {
			case "from-tag":
				r.DialogFrom = clean(v)
			case "to-tag":
				r.DialogTo = clean(v)
			}
		}
	}
}

// line reads one line of metrics.
func (m *Metrics) line(name, value string) {
	f := fields(value)
	switch name {
	case "timestamps":
		m.Start, m.Stop = moment(f["START"]), moment(f["STOP"])
	case "sessiondesc":
		m.Codec = clean(f["PD"])
	case "packetloss":
		m.Loss, m.Discard = number(f["NLR"], 0, 100), number(f["JDR"], 0, 100)
	case "delay":
		m.RoundTrip, m.EndSystemDelay, m.Jitter = millis(f["RTD"]), millis(f["ESD"]), millis(f["IAJ"])
	case "signal":
		m.Signal, m.Noise = number(f["SL"], -127, 126), number(f["NL"], -127, 126)
	case "qualityest":
		m.RFactorLQ, m.RFactorCQ = number(f["RLQ"], 0, 120), number(f["RCQ"], 0, 120)
		m.MOSLQ, m.MOSCQ = number(f["MOSLQ"], 1, 5), number(f["MOSCQ"], 1, 5)
	}
}

// fields reads NAME=value pairs; a quoted value may hold spaces.
func fields(s string) map[string]string {
	all := map[string]string{}
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		name, rest, ok := strings.Cut(s, "=")
		if !ok {
			break
		}
		var value string
		if quoted, isQuoted := strings.CutPrefix(rest, `"`); isQuoted {
			value, s, _ = strings.Cut(quoted, `"`)
		} else {
			value, s, _ = strings.Cut(rest, " ")
		}
		if at := strings.LastIndexByte(name, ' '); at >= 0 {
			name = name[at+1:] // a word without a value stood before
		}
		all[strings.ToUpper(name)] = value
	}
	return all
}

// number is nil for what is none, or lies outside: 127 means "not known" in many of the fields
// (RFC 3611 section 4.7).
func number(s string, low, high float64) *float64 {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(v) || v < low || v > high {
		return nil
	}
	return &v
}

// millis reads a delay of at most a minute.
func millis(s string) *time.Duration {
	v := number(s, 0, 60_000)
	if v == nil {
		return nil
	}
	d := time.Duration(*v * float64(time.Millisecond))
	return &d
}

func moment(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}
	}
	return t
}

// uriOf is the address in a name-addr, or the whole value where there are no brackets.
func uriOf(s string) string {
	if _, rest, ok := strings.Cut(s, "<"); ok {
		s, _, _ = strings.Cut(rest, ">")
	}
	return clean(s)
}

func address(s string) string {
	f := fields(s)
	if f["IP"] == "" {
		return ""
	}
	if f["PORT"] == "" {
		return clean(f["IP"])
	}
	return clean(f["IP"] + ":" + f["PORT"])
}

// clean bounds a text and takes out what would spoil a log.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "")
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.TrimSpace(s))
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "")
	}
	return s
}
