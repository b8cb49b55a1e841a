/* A virtual machine that only takes interrupts. */
#ifndef TRAFFIC_VHOST_KVM_H
#define TRAFFIC_VHOST_KVM_H

#include <stdbool.h>
#include <stdint.h>

struct kvm_config {
	unsigned int routes;	/* one per virtqueue */
	uint64_t gsi;		/* of the first route; the others follow */
	uint64_t vector;	/* the same */
	bool vcpu;		/* with a vCPU, which never runs */
	bool pin;		/* routes to IOAPIC pins, not MSIs */
};

/* Returns the machine's descriptor. */
int kvm_machine_make(const struct kvm_config *c);
void kvm_irqfd_add(int vm, int eventfd, uint64_t gsi);

#endif
