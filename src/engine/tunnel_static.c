/* SPDX-License-Identifier: GPL-2.0 */
#include "tunnel_source.h"
void nt_tunnel_show_static(struct nt_run *r)
{
	(void)r;
}
