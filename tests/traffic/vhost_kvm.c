#include "vhost_kvm.h"
#include "common.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#if defined(__x86_64__)

#define MSI_ADDRESS 0xfee00000
#define IOAPIC_PINS 24
#define APIC_SPIV 0xf0
#define APIC_SPIV_ENABLED 0x100

static int kvm_ioctl(int fd, unsigned long request, unsigned long arg, const char *what)
{
	int r = ioctl(fd, request, arg);

	if (r < 0)
		die_errno("kvm: %s", what);
	return r;
}

/* A disabled APIC would refuse the interrupts. */
static void vcpu_make(int vm)
{
	int vcpu = kvm_ioctl(vm, KVM_CREATE_VCPU, 0, "vCPU");
	struct kvm_lapic_state lapic;
	uint32_t spiv;

	kvm_ioctl(vcpu, KVM_GET_LAPIC, (unsigned long)&lapic, "read the APIC");
	memcpy(&spiv, lapic.regs + APIC_SPIV, sizeof(spiv));
	spiv |= APIC_SPIV_ENABLED;
	memcpy(lapic.regs + APIC_SPIV, &spiv, sizeof(spiv));
	kvm_ioctl(vcpu, KVM_SET_LAPIC, (unsigned long)&lapic, "write the APIC");
}

static void route_fill(struct kvm_irq_routing_entry *e, const struct kvm_config *c, unsigned int i)
{
	e->gsi = (uint32_t)(c->gsi + i);
	if (c->pin) {
		e->type = KVM_IRQ_ROUTING_IRQCHIP;
		e->u.irqchip.irqchip = KVM_IRQCHIP_IOAPIC;
		e->u.irqchip.pin = i % IOAPIC_PINS;
	} else {
		e->type = KVM_IRQ_ROUTING_MSI;
		e->u.msi.address_lo = MSI_ADDRESS;
		e->u.msi.data = (uint32_t)(c->vector + i);
	}
}

int kvm_machine_make(const struct kvm_config *c)
{
	struct kvm_irq_routing *r = xcalloc(1, sizeof(*r) + c->routes * sizeof(r->entries[0]));
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int vm;

	if (kvm < 0)
		die_errno("/dev/kvm (--no-kvm does without)");
	vm = kvm_ioctl(kvm, KVM_CREATE_VM, 0, "machine");
	kvm_ioctl(vm, KVM_CREATE_IRQCHIP, 0, "irqchip");
	if (c->vcpu)
		vcpu_make(vm);
	r->nr = c->routes;
	for (unsigned int i = 0; i < c->routes; i++)
		route_fill(&r->entries[i], c, i);
	kvm_ioctl(vm, KVM_SET_GSI_ROUTING, (unsigned long)r, "interrupt routes");
	free(r);
	return vm;
}

void kvm_irqfd_add(int vm, int eventfd, uint64_t gsi)
{
	struct kvm_irqfd irqfd = { .fd = (uint32_t)eventfd, .gsi = (uint32_t)gsi };

	kvm_ioctl(vm, KVM_IRQFD, (unsigned long)&irqfd, "irqfd");
}

#else

int kvm_machine_make(const struct kvm_config *c)
{
	(void)c;
	die("irqfd is only supported on x86_64: use --no-kvm");
}

void kvm_irqfd_add(int vm, int eventfd, uint64_t gsi)
{
	(void)vm, (void)eventfd, (void)gsi;
}

#endif
