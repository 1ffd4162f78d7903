// Package opening is what the exchange tells the first program of a box that others must be able to reach, and
// the answer: two small files of lines, each written by one of them and read by the other.
package opening

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Protocol is one of the two that have ports.
type Protocol string

// The protocols.
const (
	TCP Protocol = "tcp"
	UDP Protocol = "udp"
)

// Opening is a range of ports that others may reach.
type Opening struct {
	Protocol    Protocol
	Address     netip.Addr // of ours; unspecified: any, of both families
	First, Last uint16
}

// Limits of a file. Lowest is the first port that a program without privileges may have on a box.
const (
	Longest = 4096 // bytes
	most    = 32   // openings
	Lowest  = 80
)

// ErrWrong is what every mistake in a file is.
var ErrWrong = errors.New("not a list of openings")

// Format writes openings as lines such as "udp 0.0.0.0 5060 5060".
func Format(all []Opening) []byte {
	var b bytes.Buffer
	for _, o := range all {
		fmt.Fprintf(&b, "%s %s %d %d\n", o.Protocol, o.Address, o.First, o.Last)
	}
	return b.Bytes()
}

// Parse reads what Format wrote, and nothing else: the reader has more power than the writer.
func Parse(text []byte) (all []Opening, err error) {
	if len(text) > Longest {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrWrong, Longest)
	}
	for line := range strings.Lines(string(text)) {
		o, err := parseLine(line)
		if err != nil {
			return nil, err
		}
		if all = append(all, o); len(all) > most {
			return nil, fmt.Errorf("%w: more than %d", ErrWrong, most)
		}
	}
	return all, nil
}

func parseLine(line string) (o Opening, err error) {
	text, ended := strings.CutSuffix(line, "\n")
	words := strings.Split(text, " ")
	if !ended || len(words) != 4 {
		return o, fmt.Errorf("%w: %q", ErrWrong, line)
	}
	o.Protocol = Protocol(words[0])
	if o.Protocol != TCP && o.Protocol != UDP {
		return o, fmt.Errorf("%w: protocol %q", ErrWrong, words[0])
	}
	if o.Address, err = netip.ParseAddr(words[1]); err != nil || o.Address.Zone() != "" || o.Address.Is4In6() {
		return o, fmt.Errorf("%w: address %q", ErrWrong, words[1])
	}
	first, err1 := strconv.ParseUint(words[2], 10, 16)
	last, err2 := strconv.ParseUint(words[3], 10, 16)
	if err1 != nil || err2 != nil || first > last || first < Lowest {
		return o, fmt.Errorf("%w: ports %q to %q", ErrWrong, words[2], words[3])
	}
	o.First, o.Last = uint16(first), uint16(last)
	if string(Format([]Opening{o})) != line {
		return o, fmt.Errorf("%w: %q", ErrWrong, line)
	}
	return o, nil
}

// refused begins an answer that says why the firewall is not as it was asked for.
const refused = "refused: "

// Answer is what the first program writes when it has done what was asked, or could not.
func Answer(open []Opening, err error) []byte {
	if err != nil {
		return []byte(refused + strings.ReplaceAll(err.Error(), "\n", "; ") + "\n")
	}
	return Format(open)
}

// The answers that are not the one that was hoped for.
var (
	ErrRefused = errors.New("the firewall cannot be set")
	ErrNotYet  = errors.New("what is open is not what was asked for")
)

// Check compares an answer with what was asked for.
func Check(asked []Opening, answer []byte) error {
	if why, no := strings.CutPrefix(string(answer), refused); no {
		return fmt.Errorf("%w: %s", ErrRefused, strings.TrimSuffix(why, "\n"))
	}
	if !bytes.Equal(Format(asked), answer) {
		return ErrNotYet
	}
	return nil
}
