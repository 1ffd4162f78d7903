package webrtc

import (
	"fmt"
	"strconv"
	"strings"

	pion "github.com/pion/webrtc/v4"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
)

// What an offer may have. Browsers write some 2 to 4 KB with about 60 lines for audio alone.
const (
	MaxOffer = 16 << 10 // bytes
	maxLines = 400
)

// offer is what of a browser's offer is believed.
type offer struct {
	text  string // without candidates: they would have us ask names and send to strangers, and ICE-lite needs none
	codec codec.ID
	pt    uint8 // of the codec
	event uint8 // of telephone-events (RFC 4733) at the codec's RTP clock; 0: none
}

// ours are the codecs in the order in which we want them; every browser has the first two (RFC 7874 section 3).
var ours = [...]struct {
	id   codec.ID
	name string
	pt   uint8 // RFC 3551 section 6
}{{codec.PCMA, "PCMA/8000", 8}, {codec.PCMU, "PCMU/8000", 0}, {codec.G722, "G722/8000", 9}}

// readOffer reads an offer of one audio stream. What else it has is for pion to judge.
func readOffer(text string) (o offer, err error) {
	wrong := func(format string, args ...any) (offer, error) {
		return offer{}, fmt.Errorf("%w: %s", ErrOffer, fmt.Sprintf(format, args...))
	}
	if len(text) > MaxOffer {
		return wrong("it has %d bytes, more than %d", len(text), MaxOffer)
	}
	var kept strings.Builder
	lines, media := 0, 0
	formats := map[string]string{} // by payload type, upper case
	var offered []string
	fingerprint := false
	for line := range strings.Lines(text) {
		if lines++; lines > maxLines {
			return wrong("it has more than %d lines", maxLines)
		}
		line = strings.TrimRight(line, "\r\n")
		switch name, rest, _ := strings.Cut(line, ":"); {
		case strings.HasPrefix(line, "m="):
			if media++; media > 1 {
				return wrong("it has more than one stream")
			}
			f := strings.Fields(line[2:])
			if len(f) < 4 || f[0] != "audio" || f[1] == "0" {
				return wrong("it has no audio")
			}
			if f[2] != "UDP/TLS/RTP/SAVPF" {
				return wrong("its audio is %.40q and not UDP/TLS/RTP/SAVPF (RFC 8829 section 5.1.2)", f[2])
			}
			offered = f[3:]
		case name == "a=candidate" || name == "a=end-of-candidates":
			continue
		case name == "a=rtpmap":
			pt, format, _ := strings.Cut(rest, " ")
			formats[pt] = strings.ToUpper(strings.TrimSuffix(strings.TrimSpace(format), "/1"))
		case name == "a=fingerprint":
			fingerprint = true
		}
		kept.WriteString(line + "\r\n")
	}
	if media == 0 {
		return wrong("it has no audio")
	}
	if !fingerprint {
		return wrong("it names no certificate (RFC 8122)")
	}
	o.text = kept.String()
	for _, c := range ours {
		if pt, ok := find(offered, formats, c.name, c.pt); ok {
			o.codec, o.pt = c.id, pt
			o.event, _ = find(offered, formats, "TELEPHONE-EVENT/8000", 0)
			return o, nil
		}
	}
	return wrong("it has none of our codecs")
}

// find is the payload type of a format among those that the stream offers. static is the one that needs no rtpmap;
// 0 of a format without one.
func find(offered []string, formats map[string]string, format string, static uint8) (pt uint8, ok bool) {
	for _, text := range offered {
		n, err := strconv.ParseUint(text, 10, 7)
		if err != nil {
			continue
		}
		named, has := formats[text]
		if named == format || !has && uint8(n) == static && format == staticName(static) {
			return uint8(n), true
		}
	}
	return 0, false
}

func staticName(pt uint8) string {
	for _, c := range ours {
		if c.pt == pt {
			return c.name
		}
	}
	return ""
}

// capability is the codec in pion's words.
func (o offer) capability() pion.RTPCodecCapability {
	mime := map[codec.ID]string{codec.PCMA: pion.MimeTypePCMA, codec.PCMU: pion.MimeTypePCMU, codec.G722: pion.MimeTypeG722}[o.codec]
	return pion.RTPCodecCapability{MimeType: mime, ClockRate: 8000}
}

func (o offer) codecs() []pion.RTPCodecParameters {
	all := []pion.RTPCodecParameters{{RTPCodecCapability: o.capability(), PayloadType: pion.PayloadType(o.pt)}}
	if o.event != 0 {
		all = append(all, pion.RTPCodecParameters{
			RTPCodecCapability: pion.RTPCodecCapability{MimeType: "audio/telephone-event", ClockRate: 8000, SDPFmtpLine: "0-16"},
			PayloadType:        pion.PayloadType(o.event),
		})
	}
	return all
}
