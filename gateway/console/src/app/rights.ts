// What this deployment and this caller can do: what cannot be done is not offered.

import { createContext, useContext } from 'react';

import type { Capability, GatewayQuery } from './generated';

export const DEMO = document.documentElement.dataset.demo === 'on';

export interface Rights {
  can(capability: Capability): boolean;
  mayReadEvents: boolean;
  mayPlay: boolean;
}

export function rightsOf(gateway: GatewayQuery['gateway'] | undefined): Rights {
  const may = (scope: string) => gateway?.scopes.includes(scope) ?? false;
  return {
    can: (capability) => gateway?.capabilities.includes(capability) ?? false,
    mayReadEvents: may('events:read'),
    mayPlay: DEMO && may('payments:write'),
  };
}

export const RightsContext = createContext<Rights>(rightsOf(undefined));
export const useRights = () => useContext(RightsContext);
