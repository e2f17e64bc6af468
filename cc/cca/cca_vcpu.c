/* A realm's vCPU: a REC, and the page through which it is entered. */
#include "cca.h"

#include "arch/boot.h"
#include "hv/check.h"
#include "hv/log.h"
#include "hv/page.h"
#include "hv/string.h"

#define ICH_HCR_UIE BIT(1) /* IHI 0069: it exits when its list registers have run empty */

static const struct confidential_vcpu realm_vcpu = {.run = cca_run};

enum abi_status cca_vcpu_create(struct vcpu *v)
{
    struct cca_vcpu *c = vm_alloc(v->vm, sizeof(*c));

    if (c == NULL) {
        return ABI_NO_MEMORY;
    }
    memset(c, 0, sizeof(*c));
    c->run = vm_alloc_page(v->vm);
    if (c->run == NULL) {
        return ABI_NO_MEMORY;
    }
    v->arch.cc_data = c;
    v->arch.confidential = &realm_vcpu;
    return ABI_OK;
}

static enum abi_status take_aux(struct vcpu *v, struct cca_vcpu *c, struct rmi_rec_params *p)
{
    struct cca_result r = cca_platform.rmi->rec_aux_count(cca_of(v->vm)->rd);

    if (!rmi_ok(r) || r.value[0] > RMI_REC_AUX_MAX) {
        return cca_fail(v->vm->name, "RMI_REC_AUX_COUNT", r);
    }
    while (c->auxes < r.value[0]) {
        if (!cca_page_alloc(v->vm->id, &c->aux[c->auxes])) {
            return ABI_NO_MEMORY;
        }
        p->aux[c->auxes] = c->aux[c->auxes].v;
        c->auxes++;
    }
    p->num_aux = c->auxes;
    return ABI_OK;
}

enum abi_status cca_rec_create(struct vcpu *v, const struct vcpu_entry *entry)
{
    struct cca_vm *s = cca_of(v->vm);
    struct cca_vcpu *c = cca_vcpu_of(v);
    struct rmi_rec_params *p = (struct rmi_rec_params *)s->bounce;
    enum abi_status st;

    memset(p, 0, sizeof(*p));
    if (entry != NULL) {
        cca_first_rec(entry, p);
    }
    p->mpidr = (v->index & 15) | (uint64_t)(v->index >> 4) << 8;
    st = take_aux(v, c, p);
    if (st != ABI_OK) {
        return st;
    }
    if (!cca_page_alloc(v->vm->id, &c->rec)) {
        return ABI_NO_MEMORY;
    }
    st = cca_fail(v->vm->name, "RMI_REC_CREATE", cca_platform.rmi->rec_create(s->rd, c->rec, p));
    c->made = st == ABI_OK;
    return st;
}

void cca_vcpu_destroy(struct vcpu *v)
{
    struct cca_vcpu *c = cca_vcpu_of(v);

    if (c == NULL) {
        return;
    }
    if (c->made && cca_fail(v->vm->name, "RMI_REC_DESTROY",
                            cca_platform.rmi->rec_destroy(c->rec)) != ABI_OK) {
        return; /* its pages stay the RMM's */
    }
    if (c->rec.v != 0) {
        cca_page_free(v->vm->id, c->rec);
    }
    while (c->auxes > 0) {
        c->auxes--;
        cca_page_free(v->vm->id, c->aux[c->auxes]);
    }
}

static struct cca_result enter(struct vcpu *v, struct cca_vcpu *c, unsigned int *lent)
{
    struct rmi_rec_enter *e = &c->run->enter;
    bool more;

    vtimer_lines(v);
    memset(e->gicv3_lrs, 0, sizeof(e->gicv3_lrs));
    *lent = vgic_lend(v, e->gicv3_lrs, cca_platform.lrs, &more);
    e->gicv3_hcr = more ? ICH_HCR_UIE : 0;
    e->flags |= REC_ENTER_TRAP_WFI;
    return rmi(RMI_REC_ENTER, c->rec.v, hva_to_pa(c->run).v, 0, 0);
}

/* B4.3.12: of RMI_REC_ENTER, once a vCPU of it has called SYSTEM_OFF or SYSTEM_RESET */
#define REALM_IS_OFF RMI_CODE(RMI_ERROR_REALM, 1)

/* Interrupts go in by list registers, and what the realm made of them comes back. */
void cca_run(struct vcpu *v)
{
    struct cca_vcpu *c = cca_vcpu_of(v);
    const struct rmi_rec_exit *x = &c->run->exit;
    uint32_t starting = POWER_STARTING;
    bool turned_on = atomic_cas(&v->arch.power, &starting, (uint32_t)POWER_ON);
    unsigned int lent;
    struct cca_result r = enter(v, c, &lent);

    if (rmi_ok(r)) {
        c->run->enter.flags = 0;
        vgic_give_back(v, x->gicv3_lrs, lent);
        vtimer_told(v, x->cntv_ctl, x->cntv_cval, x->cntp_ctl, x->cntp_cval);
        cca_exit(v, x);
        return;
    }
    vgic_give_back(v, c->run->enter.gicv3_lrs, lent);
    if (turned_on && r.code == RMI_ERROR_REC) {
        cca_off(v); /* it was on, and has gone off since: cca_psci.c */
    } else if (r.code != REALM_IS_OFF) { /* the vCPU that turned it off is about to say so */
        vcpu_end(v, "RMI_REC_ENTER: %lx", (unsigned long)r.code);
    }
}
