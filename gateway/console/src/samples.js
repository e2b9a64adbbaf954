import attachPayment from './operations/attach-payment.graphql?raw';
import detachPayment from './operations/detach-payment.graphql?raw';
import gateway from './operations/gateway.graphql?raw';
import invoiceWithPayments from './operations/invoice-with-payments.graphql?raw';
import livePayments from './operations/live-payments.graphql?raw';

export const sampleTabs = [
  invoiceWithPayments,
  detachPayment,
  attachPayment,
  livePayments,
  gateway,
].map((query) => ({ query }));
