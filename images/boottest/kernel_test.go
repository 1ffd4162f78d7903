package boottest

import "testing"

func TestAnImageWithAnotherKernelAnswers(t *testing.T) {
	t.Parallel()
	wire := lay(t, 30)
	m := start(t, options{kernel: "another/kernel8.img", initrd: "another/initramfs.zst", cable: wire})
	wire.answers(t, m)
	m.says(" kernel=7.1.3 ", 1)
}
