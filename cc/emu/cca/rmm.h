/*
 * The test RMM: RMI and RSI 1.0 (DEN0137) over a machine that rmm_port.h names. All of it but the
 * port compiles on a host, too. One lock guards granule states and tables; it is not held while a
 * REC runs.
 */
#ifndef RMM_H
#define RMM_H

#include "../../cca/cca_spec.h"

/* A2.2: what a granule is used for. UNDELEGATED ones are not ours. */
enum granule_state {
    G_NONE, /* not memory that a host may delegate */
    G_UNDELEGATED,
    G_DELEGATED,
    G_RD,
    G_REC,
    G_REC_AUX,
    G_DATA,
    G_RTT,
};

struct granule {
    uint8_t state;
    uint8_t reserved;
    uint16_t refs; /* RTT: live entries; RD: RECs */
};

enum realm_state { REALM_NEW, REALM_ACTIVE, REALM_SYSTEM_OFF };

#define RMM_REMS       4u
#define RMM_HASH_MAX   64u
#define RMM_RECS_ORDER 6u /* FEATURES: RECs in a realm, as a power of two */

struct rd {
    uint8_t state, hash, ipa_bits, start_level, num_start;
    uint16_t vmid;
    uint32_t recs;    /* ever made: the next one's index */
    uint32_t running; /* of them, now */
    bool cached;      /* one ran since CPUs last forgot the realm's translations */
    uint64_t rtt_base;
    uint8_t rim[RMM_HASH_MAX], rem[RMM_REMS][RMM_HASH_MAX], rpv[RMI_RPV_SIZE];
};

struct rec_timers {
    uint64_t cntp_ctl, cntp_cval, cntv_ctl, cntv_cval;
};

/* What a REC's CPU has besides X0 to X30: saved and loaded by the port. */
struct rec_cpu {
    uint64_t pc, pstate;
    uint64_t el1[32];
    uint8_t fp[528] __attribute__((aligned(16)));
    uint64_t ap0r[4], ap1r[4], vmcr;
    struct rec_timers timers;
    uint64_t esr, far, hpfar; /* of the last exit */
    uint8_t inject;           /* an exception that it takes before it goes on; the port's */
};

struct rec {
    uint64_t gprs[RMI_GPRS];
    struct rec_cpu cpu;
    uint64_t rd, aux, mpidr;
    bool runnable, running;
    bool psci_pending, host_call_pending, ripas_pending, token_pending;
    bool abort_pending, mmio_pending; /* at the host's half; the host can stand in for the memory */
    uint64_t host_call_ipa;
    uint64_t mmio_esr;
    uint64_t ripas_base, ripas_addr, ripas_top, ripas_flags;
    uint8_t ripas_value;
    uint64_t psci_target;
    uint32_t token_len, token_done;
};
_Static_assert(sizeof(struct rec) <= GRANULE_SIZE, "a REC is a granule");
#define RMM_REC_AUX 1u /* the token that is being read */

/* An RMI call: X0 to X6 in, X0 to X4 out. */
struct rmi_call {
    uint64_t x[7];
};
void rmm_rmi(struct rmi_call *c);
/* Before any call: the n-th one of that command, any but RMI_REC_ENTER, is refused with
 * RMI_ERROR_INPUT and changes nothing. n = 0: none. */
void rmm_fail_nth(uint64_t fid, uint32_t n);

/*
 * rmm_boot.c: X0 to X3 as the monitor gives them; an enum rmm_boot. The table has room for `most`
 * granules, and has the host's memory afterwards, which ends at `below` or before.
 */
#define RMM_CPUS 16u
int64_t rmm_boot(const uint64_t x[4], struct granule *table, uint64_t most, uint64_t below);

/* rmm_granule.c */
void rmm_init(uint64_t base, uint64_t size, struct granule *table); /* all of it G_NONE */
void rmm_bank(uint64_t base, uint64_t size); /* of it: the host's memory */
void rmm_lock(void);
void rmm_unlock(void);
extern struct granules {
    uint64_t base, count;
    struct granule *table;
} rmm_granules;

/* NULL: none, or not aligned. */
static inline struct granule *granule_at(uint64_t pa)
{
    uint64_t index = (pa - rmm_granules.base) / GRANULE_SIZE;

    return IS_ALIGNED(pa, GRANULE_SIZE) && pa >= rmm_granules.base && index < rmm_granules.count
               ? &rmm_granules.table[index]
               : NULL;
}

/* The granule's memory if it is in that state, else NULL. */
void *granule_as(uint64_t pa, enum granule_state state);
void granule_to(uint64_t pa, enum granule_state state);
void granule_release(uint64_t pa); /* cleared, and DELEGATED again */
/* Of UNDELEGATED granules: never across the end of one. */
bool ns_read(uint64_t pa, void *to, size_t len);
bool ns_write(uint64_t pa, const void *from, size_t len);
uint64_t rmi_granule_delegate(struct rmi_call *c);
uint64_t rmi_granule_undelegate(struct rmi_call *c);

/* rmm_measure.c */
void rmm_hash(enum rmi_hash algo, const void *p, size_t len, uint8_t out[RMM_HASH_MAX]);
size_t rmm_hash_size(enum rmi_hash algo);
void measure_realm(struct rd *rd, const struct rmi_realm_params *p);
void measure_data(struct rd *rd, uint64_t ipa, uint64_t flags, const void *content);
void measure_rec(struct rd *rd, const struct rmi_rec_params *p);
void measure_ripas(struct rd *rd, uint64_t base, uint64_t top);
void measure_extend(struct rd *rd, unsigned int index, const void *value, size_t len);

/* rmm_rtt.c */
struct walk {
    uint64_t table; /* the granule that has the entry */
    uint64_t *entry;
    unsigned int level;
    uint64_t base, size; /* what the entry maps */
};
void rtt_walk(const struct rd *rd, uint64_t ipa, unsigned int level, struct walk *w);
bool ipa_protected(const struct rd *rd, uint64_t ipa);
uint64_t rtt_size(unsigned int level);
bool rtte_is_table(uint64_t e, unsigned int level);
bool rtte_is_live(uint64_t e);
uint64_t rtte_assigned(uint64_t pa, unsigned int level, enum rmi_ripas ripas);
uint64_t rtte_unassigned(enum rmi_ripas ripas);
enum rmi_ripas rtte_ripas(uint64_t e);
uint64_t rtte_pa(uint64_t e);
enum rmi_rtte rtte_state(uint64_t e, unsigned int level);
uint64_t rtt_top(const struct walk *w); /* the next live entry behind it, or the table's end */
/* The realm's memory at an IPA, len bytes that do not cross a granule; NULL: not its RAM. */
void *realm_memory(const struct rd *rd, uint64_t ipa, size_t len);
uint64_t rmi_rtt_create(struct rmi_call *c);
uint64_t rmi_rtt_destroy(struct rmi_call *c);
uint64_t rmi_rtt_fold(struct rmi_call *c);
uint64_t rmi_rtt_read_entry(struct rmi_call *c);
/* rmm_map.c */
uint64_t rmi_rtt_map_unprotected(struct rmi_call *c);
uint64_t rmi_rtt_unmap_unprotected(struct rmi_call *c);
uint64_t rmi_rtt_init_ripas(struct rmi_call *c);
uint64_t rmi_rtt_set_ripas(struct rmi_call *c);
uint64_t rmi_data_create(struct rmi_call *c);
uint64_t rmi_data_create_unknown(struct rmi_call *c);
uint64_t rmi_data_destroy(struct rmi_call *c);

/* rmm_realm.c */
void rmm_realm_reset(void); /* there are no realms */
struct rd *rd_at(uint64_t pa);
void realm_flush(struct rd *rd); /* CPUs forget its translations */
uint64_t rmi_features(struct rmi_call *c);
uint64_t rmi_realm_create(struct rmi_call *c);
uint64_t rmi_realm_activate(struct rmi_call *c);
uint64_t rmi_realm_destroy(struct rmi_call *c);

/* rmm_rec.c */
uint64_t rmi_rec_aux_count(struct rmi_call *c);
uint64_t rmi_rec_create(struct rmi_call *c);
uint64_t rmi_rec_destroy(struct rmi_call *c);
uint64_t rmi_psci_complete(struct rmi_call *c);
/* rmm_enter.c; takes the lock itself */
uint64_t rmi_rec_enter(struct rmi_call *c);

/* Goes on in the realm, or leaves for the host with what is in the exit record. */
enum rec_next { REC_RESUME, REC_LEAVE };
/* rmm_enter.c: memory that should be there is not: the host sees a translation fault. */
enum rec_next rec_wants(const struct rd *rd, uint64_t ipa, struct rmi_rec_exit *exit);
/* rmm_rsi.c, rmm_psci.c: SMC and HVC of the realm, by its X0 */
enum rec_next rsi_call(struct rec *rec, struct rd *rd, struct rmi_rec_exit *exit);
enum rec_next psci_call(struct rec *rec, struct rd *rd, struct rmi_rec_exit *exit);
/* rmm_token.c: writes the token into the aux granule; 0: there is none */
uint32_t token_make(const struct rd *rd, const uint8_t challenge[64], void *to, size_t size);

#endif
