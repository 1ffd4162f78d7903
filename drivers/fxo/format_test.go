package fxo

import (
	"math"
	"strings"
	"testing"
)

func TestBestFormatIsReadFromTheModemsOwnList(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		named        map[int]coding
		coding       coding
		command      string
	}{
		{"Conexant CX930xx", "0,\"SIGNED PCM\",8,0,8000,0,0\n1,\"UNSIGNED PCM\",8,0,8000,0,0\n129,\"IMA ADPCM\",4,0,8000,0,0\n130,\"UNSIGNED PCM\",8,0,8000,0,0", nil, signed8, "AT+VSM=0,8000,0,0"},
		{"Conexant that has only unsigned", "1,\"UNSIGNED PCM\",8,0,(7200,8000,11025),0,0\n140,\"2 Bit ADPCM\",2,0,8000,0,0", nil, unsigned8, "AT+VSM=1,8000,0,0"},
		{"host based Conexant prefers 16 bits", "128,\"8-BIT LINEAR\",8,0,(7200,8000,11025),0,0\n129,\"16-BIT ADPCM\",4,0,8000,0,0\n131,\"8-BIT ULAW\",8,0,8000,0,0\n133,\"16-BIT LINEAR\",16,0,8000,0,0", nil, signed16, "AT+VSM=133,8000,0,0"},
		{"USR5637 in its short form", "128,\"8-BIT LINEAR\",(7200,8000,11025)\n129,\"16-BIT LINEAR\",(7200,8000)\n130,\"8-BIT ALAW\",(8000)", nil, signed16, "AT+VSM=129,8000"},
		{"Silicon Labs prefers G.711", "+VSM: 0,\"SIGNED PCM\",8,0,8000,0,0\n+VSM: 4,\"ULAW\",8,0,8000,0,0\n+VSM: 129,\"G.726 ADPCM\",2,0,8000,0,0", nil, muLaw, "AT+VSM=4,8000,0,0"},
		{"a vendor's code that the dialect knows", `130,"PCM8",8,0,8000,0,0`, map[int]coding{130: unsigned8}, unsigned8, "AT+VSM=130,8000,0,0"},
		{"a rate that is not ours is passed over", "1,\"UNSIGNED PCM\",8,0,11025,0,0\n5,\"ALAW\",8,0,7200-8000,0,0", nil, aLaw, "AT+VSM=5,8000,0,0"},
	} {
		f, ok := bestFormat(strings.Split(c.answer, "\n"), c.named)
		if !ok || f.coding != c.coding || f.command() != c.command {
			t.Errorf("%s: %v, %q, %v", c.name, f.coding, f.command(), ok)
		}
	}
}

func TestModemOfADPCMAloneHasNoFormatForUs(t *testing.T) {
	for _, l := range []string{`129,"IMA ADPCM",4,0,8000,0,0`, `200,"SECRET",8,0,8000,0,0`, "OK", "", "x,y,z", `1,"UNSIGNED PCM",8,0,7200,0,0`} {
		if f, ok := bestFormat([]string{l}, nil); ok {
			t.Errorf("%q gives %+v", l, f)
		}
	}
}

func TestSoundSurvivesEachCoding(t *testing.T) {
	var pcm []int16
	for i := range 1600 {
		pcm = append(pcm, int16(12000*math.Sin(2*math.Pi*440*float64(i)/sampleRate)))
	}
	for _, c := range []coding{unsigned8, signed8, muLaw, aLaw, signed16} {
		var rough uint32
		back, left := c.expand(nil, c.compress(nil, pcm, &rough))
		if left != 0 || len(back) != len(pcm) {
			t.Fatalf("%v: %d samples, %d bytes left", c, len(back), left)
		}
		var noise, power float64
		for i, v := range pcm {
			d := float64(v) - float64(back[i])
			noise, power = noise+d*d, power+float64(v)*float64(v)
		}
		if dB := 10 * math.Log10(power/max(noise, 1)); dB < 32 {
			t.Errorf("%v: %.1f dB", c, dB)
		}
		silent, _ := c.expand(nil, c.compress(nil, make([]int16, 8), &rough))
		for _, v := range silent {
			if v < -8 || v > 8 {
				t.Errorf("%v: silence became %d", c, v)
			}
		}
	}
}

// Whatever the modem says of itself, it is read or passed over.
func FuzzFormatLine(f *testing.F) {
	f.Add(`1,"UNSIGNED PCM",8,0,(7200,8000-9000),0,0`)
	f.Fuzz(func(t *testing.T, l string) {
		if x, ok := parseFormat(l, nil); ok && (x.code < 0 || x.code > 255 || x.coding > signed16) {
			t.Errorf("%q gives %+v", l, x)
		}
	})
}
